#include "app/setting_flags.h"

#include "app/usage.h"

namespace polyphon {
namespace {

CLI::Validator range_of(const Setting<Config>& row) {
  if (row.type == SettingType::kNumber) return in_real_range(row.least, row.most);
  return in_range(static_cast<long long>(row.least), static_cast<long long>(row.most));
}

const char* type_name_of(SettingType type) {
  switch (type) {
    case SettingType::kWhole:
      return "INT";
    case SettingType::kNumber:
      return "FLOAT";
    default:
      return "TEXT";
  }
}

struct FlagHelp {
  std::string text, otherwise;  // what the flag is, and what holds without it
};

// "Model; empty: the catalogue's" says itself what an empty value, the default, stands for.
FlagHelp help_of(const Setting<Config>& row) {
  for (const std::string& mark : {std::string("; empty: "), std::string("; none: ")})
    if (const size_t at = row.help.find(mark); at != std::string::npos)
      return {row.help.substr(0, at), row.help.substr(at + mark.size())};
  const Json value = row.default_value();
  if (value.is_string() && !value.get<std::string>().empty()) return {row.help, value};
  return {row.help, value.is_string() || value.is_array() ? "none" : value.dump()};
}

}  // namespace

Json flag_value(SettingType type, const std::string& text) {
  switch (type) {
    case SettingType::kWhole:
      return std::stoll(text);
    case SettingType::kNumber:
      return std::stod(text);
    default:
      return text;
  }
}

void SettingFlags::add(CLI::App& command, const std::string& prefix) {
  for (const Setting<Config>& row : config_settings()) {
    if (!row.in(kFlagScope) || !row.name.starts_with(prefix)) continue;
    const std::string flag = flag_name(row.name);
    const FlagHelp help = help_of(row);
    const auto take = [this, &row](const std::string& text) {
      given_[row.name] = flag_value(row.type, text);
    };
    if (row.type == SettingType::kSwitch) {
      command.add_flag_callback(flag, [this, &row] { given_[row.name] = true; }, row.help);
      continue;
    }
    CLI::Option* const option =
        row.type == SettingType::kTexts
            ? command
                  .add_option_function<std::vector<std::string>>(
                      flag,
                      [this, &row](const std::vector<std::string>& texts) {
                        given_[row.name] = texts;
                      },
                      help.text)
                  ->delimiter(',')
            : command.add_option_function<std::string>(flag, take, help.text)
                  ->type_name(type_name_of(row.type));
    option->default_str(help.otherwise);
    if (row.least < row.most)
      option->check(range_of(row));
    else if (!row.words.empty())
      option->check(one_of(row.words));
    else if (row.type == SettingType::kText)
      option->check(parsed_by([&row](const std::string& text) {
        Config scratch;
        row.set(scratch, text);
      }));
  }
}

void SettingFlags::apply(Config& config) const {
  for (const Setting<Config>& row : config_settings())
    if (const auto found = given_.find(row.name); found != given_.end())
      row.set(config, found->second);
}

}  // namespace polyphon
