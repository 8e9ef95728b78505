#include "app/usage.h"

#include <gtest/gtest.h>

#include "app/command.h"
#include "core/topology.h"

namespace polyphon {
namespace {

class Usage : public ::testing::Test {
 protected:
  Usage() { add_commands(app_, run_, log_level_); }
  // What is printed for a wrong command line; empty for a right one.
  std::string refusal(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());
    try {
      app_.parse(arguments);
      return "";
    } catch (const CLI::ParseError& error) {
      return usage_error(app_, error);
    }
  }
  CLI::App app_;
  polyphon::Run run_;  // not the test's own
  std::string log_level_ = "warn";
};

TEST_F(Usage, MisspelledWordsOfEveryKindGetASuggestion) {
  EXPECT_EQ(refusal({"thnk"}),
            "error: unknown subcommand 'thnk'; did you mean 'think'? See `polyphon --help`");
  EXPECT_EQ(refusal({"models", "pul", "X"}),
            "error: unknown subcommand 'pul'; did you mean 'pull'? See `polyphon models --help`");
  EXPECT_EQ(refusal({"think", "--topologie", "8x128", "?"}),
            "error: unknown option '--topologie'; did you mean '--topology'? See `polyphon think "
            "--help`");
  EXPECT_EQ(refusal({"think", "--topologie=8x128", "?"}),
            "error: unknown option '--topologie'; did you mean '--topology'? See `polyphon think "
            "--help`");
  EXPECT_EQ(refusal({"think", "--merge", "prefil", "?"}),
            "error: --merge is 'prefil': must be kv, prefill, compact or vote; did you mean "
            "'prefill'? See `polyphon think --help`");
  EXPECT_EQ(refusal({"bench", "streams", "--what", "merges"}),
            "error: --what is 'merges': must be throughput, time_to_answer or merge; did you mean "
            "'merge'? See `polyphon bench streams --help`");
  EXPECT_EQ(refusal({"train", "--outptu", "x", "--data", "y"}),
            "error: unknown option '--outptu'; did you mean '--output'? See `polyphon train "
            "--help`");
  EXPECT_EQ(refusal({"--log-level", "wran", "doctor"}),
            "error: --log-level is 'wran': must be trace, debug, info, warn, error or off; did you "
            "mean 'warn'? See `polyphon --help`");
}

TEST_F(Usage, OtherFaultsSayTheValueAndWhatIsAllowed) {
  EXPECT_EQ(refusal({"ponder"}), "error: unknown subcommand 'ponder'. See `polyphon --help`");
  EXPECT_EQ(refusal({}), "error: a subcommand is required. See `polyphon --help`");
  EXPECT_EQ(refusal({"think"}), "error: problem is required. See `polyphon think --help`");
  EXPECT_EQ(refusal({"think", "two", "problems"}),
            "error: unexpected argument 'problems'. See `polyphon think --help`");
  EXPECT_EQ(refusal({"serve", "--port", "70000"}),
            "error: --port is '70000': must be 0 to 65535. See `polyphon serve --help`");
  EXPECT_EQ(refusal({"think", "?", "--seed", "-1"}),
            "error: --seed is '-1': must be 0 or more. See `polyphon think --help`");
  EXPECT_EQ(refusal({"think", "?", "--temperature", "nan"}),
            "error: --temperature is 'nan': must be 0 to 100. See `polyphon think --help`");
  EXPECT_EQ(refusal({"train", "--data", "x", "--heads", "y", "--output", "z"}).substr(0, 43),
            "error: --data cannot be used with --heads. ");
  const std::string topology = refusal({"think", "?", "--topology", "0x5"});
  EXPECT_TRUE(topology.starts_with("error: --topology '0x5': ")) << topology;
}

TEST_F(Usage, LargeSeedsAreSeeds) {
  EXPECT_EQ(refusal({"think", "?", "--seed", "18446744073709551615"}), "");
}

TEST_F(Usage, WithoutItsSubcommandACommandShowsItsHelp) {
  EXPECT_NE(refusal({}), "");
  EXPECT_NE(help_without_subcommand(app_).find("think"), std::string::npos);
  EXPECT_NE(refusal({"bench"}), "");
  EXPECT_NE(help_without_subcommand(app_).find("streams"), std::string::npos);
  EXPECT_NE(refusal({"thnk"}), "");
  EXPECT_EQ(help_without_subcommand(app_), "");
}

void expect_whole_helps(const CLI::App& command, const std::string& path) {
  EXPECT_TRUE(std::isupper(static_cast<unsigned char>(command.get_description()[0])))
      << path << ": " << command.get_description();
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = path + " " + option->get_name();
    const std::string help = option_help(*option);
    const std::string& text = option->get_description();
    ASSERT_GT(text.size(), 8) << name;
    EXPECT_TRUE(std::isupper(static_cast<unsigned char>(text[0]))) << name << ": " << text;
    EXPECT_FALSE(text.starts_with("Of ") || text.ends_with('.')) << name << ": " << text;
    if (option->get_expected_max() == 0) continue;
    EXPECT_TRUE(help.find("(default ") != std::string::npos ||
                help.find("; default ") != std::string::npos || help.ends_with("required)") ||
                help.find("default ") != std::string::npos)
        << name << ": " << help;
  }
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; }))
    expect_whole_helps(*sub, path + " " + sub->get_name());
}

TEST_F(Usage, EveryOptionStandsAloneAndNamesItsDefault) { expect_whole_helps(app_, "polyphon"); }

TEST_F(Usage, HelpHasRangeAndDefault) {
  const CLI::App& think = *app_.get_subcommand("think");
  EXPECT_EQ(option_help(*think.get_option("--temperature")),
            "Sampling temperature: the middle one of the streams; 0: the likeliest token (0 to "
            "100; default 0.8)");
  EXPECT_EQ(option_help(*think.get_option("problem")),
            "Problem in one argument; -: standard input (required)");
}

}  // namespace
}  // namespace polyphon
