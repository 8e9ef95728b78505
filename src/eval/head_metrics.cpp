#include "eval/head_metrics.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "base/replace_file.h"
#include "core/version.h"
#include "tasks/statistics.h"

namespace polyphon {
namespace {

struct Column {
  const char* member;
  const char* label;
  bool sign = false;
};

bool is_arm(const Json& line, const std::string& head) {
  return line.value("head", "") == head && line.contains("arm");
}

// The arm (kind of head) that the version keeps; empty if this head was not trained.
std::string written_arm(const MeasuredHeads& heads, const std::string& head) {
  for (const Json& line : heads.lines)
    if (line.value("head", "") == head && line.contains("written"))
      return line.at("written").get<std::string>();
  return "";
}

std::string cell(const Json& interval, bool sign) {
  return interval.is_object() ? figure(interval_from_json(interval), sign) : "";
}

std::string table(const std::vector<MeasuredHeads>& all, const std::string& head,
                  const std::string& title, const std::vector<Column>& columns) {
  std::string rows;
  for (const MeasuredHeads& heads : all)
    for (const Json& line : heads.lines) {
      if (!is_arm(line, head)) continue;
      const std::string arm = line.at("arm");
      rows += fmt::format("| {} | {}{} |", heads.name, arm,
                          arm == written_arm(heads, head) ? " (written)" : "");
      for (const Column& column : columns)
        rows += fmt::format(" {} |", cell(line.value(column.member, Json()), column.sign));
      rows += "\n";
    }
  if (rows.empty()) return "";
  std::string text = fmt::format("\n| {} of | arm |", title), rule = "\n|---|---|";
  for (const Column& column : columns) {
    text += fmt::format(" {} |", column.label);
    rule += "---:|";
  }
  return text + rule + "\n" + rows;
}

std::vector<CalibrationBin> bins_of(const Json& line) {
  std::vector<CalibrationBin> bins;
  for (const Json& bin : line.value("calibration", Json::array()))
    bins.push_back({bin.at("count"), bin.at("predicted"), bin.at("observed")});
  return bins;
}

std::string name_of(const std::filesystem::path& path) {
  const std::filesystem::path whole = std::filesystem::weakly_canonical(path);
  if (std::filesystem::is_directory(whole)) return whole.filename().string();
  if (whole.filename() == "heads.jsonl") return whole.parent_path().filename().string();
  const std::string stem = whole.stem().string(), mark = "-heads-";
  const size_t at = stem.rfind(mark);
  return at == std::string::npos ? stem : stem.substr(at + mark.size());
}

std::vector<Json> lines_of_version(const std::string& folder) {
  const Json metrics = read_version(folder).metrics;
  std::vector<Json> lines;
  if (metrics.is_object())
    for (const Json& line : metrics.value("heads", Json::array()))
      if (line.is_object()) lines.push_back(line);
  return lines;
}

std::vector<Json> lines_of_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "no figures of heads at " + path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(Json::parse(line, nullptr, /*allow_exceptions=*/false));
    if (!lines.back().is_object())
      throw Error(
          ErrorCode::kInvalidArgument,
          fmt::format("{} line {}: not a JSON object: is it a heads.jsonl?", path, lines.size()));
  }
  return lines;
}

}  // namespace

MeasuredHeads read_measured_heads(const std::string& path) {
  const bool version = std::filesystem::is_directory(path);
  return {name_of(path), version ? lines_of_version(path) : lines_of_file(path)};
}

std::string to_markdown(const std::vector<MeasuredHeads>& heads) {
  return table(heads, "gate", "gate, at p > 0.5,",
               {{"precision", "precision"},
                {"recall", "recall"},
                {"average_precision", "average precision"},
                {"average_precision_gain", "the written one's gain in it", true}}) +
         table(heads, "value", "value head",
               {{"auc", "AUC"},
                {"auc_gain", "the written one's gain in it", true},
                {"brier", "Brier"}});
}

std::vector<CalibrationPanel> calibration_panels(const std::vector<MeasuredHeads>& all) {
  std::vector<CalibrationPanel> panels;
  for (const MeasuredHeads& heads : all) {
    std::map<std::string, size_t> places;  // panel of each head, in the order of the lines
    for (const Json& line : heads.lines) {
      std::vector<CalibrationBin> bins = bins_of(line);
      if (bins.empty()) continue;
      const std::string head = line.at("head"), arm = line.at("arm");
      if (places.try_emplace(head, panels.size()).second)
        panels.push_back({head + " head", heads.name, {}});
      panels[places[head]].lines.push_back({arm, arm == written_arm(heads, head), std::move(bins)});
    }
  }
  if (panels.empty())
    throw Error(ErrorCode::kInvalidArgument,
                "no head has a calibration to draw: train heads first (`polyphon train --heads`)");
  return panels;
}

void draw_calibration(const std::string& path, const std::vector<MeasuredHeads>& heads) {
  const std::string svg = calibration_svg(calibration_panels(heads));
  replace_file(path, [&](std::ostream& file) { file << svg; });
}

}  // namespace polyphon
