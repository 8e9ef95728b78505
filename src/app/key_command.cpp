// polyphon key: makes API keys and their hashes. A key is shown once and never kept.
#include <fmt/format.h>

#include <iostream>
#include <random>

#include "app/command.h"
#include "server/auth.h"

namespace polyphon {
namespace {

int new_key() {
  std::random_device device;
  std::string key = "pk-";
  for (int i = 0; i < 6; ++i) key += fmt::format("{:08x}", device());
  print_out(fmt::format("key   {}\nhash  {}\n", key, hash_api_key(key)));
  return 0;
}

int hash_key() {
  std::string key;
  std::getline(std::cin, key);
  print_out(hash_api_key(key) + "\n");
  return 0;
}

}  // namespace

void add_key_command(CLI::App& app, Run& run) {
  CLI::App& command = *app.add_subcommand("key", "Make API keys for the server");
  command.require_subcommand(1);
  command.add_subcommand("new", "Make a key, and the hash to put into the key file")
      ->callback([&run] { run = new_key; });
  command.add_subcommand("hash", "Show the hash of a key that is read from standard input")
      ->callback([&run] { run = hash_key; });
}

}  // namespace polyphon
