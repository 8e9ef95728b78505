#include "eval/arm_figures.h"

#include <algorithm>

#include "tasks/statistics.h"

namespace polyphon {
namespace {

int right_streams(const EvaluationSample& sample) {
  return static_cast<int>(std::count_if(sample.streams.begin(), sample.streams.end(),
                                        [](const StreamSample& stream) { return stream.right; }));
}

}  // namespace

double stream_success(const EvaluationSample& sample) {
  return static_cast<double>(right_streams(sample)) /
         static_cast<double>(std::max<size_t>(1, sample.streams.size()));
}

StreamFigures stream_figures(const SampleSet& samples) {
  StreamFigures figures;
  if (samples.empty()) return figures;
  std::vector<std::vector<int>> errors;
  int right = 0, any = 0;
  size_t streams = 0;
  for (const EvaluationSample* sample : samples) {
    std::vector<int>& row = errors.emplace_back();
    for (const StreamSample& stream : sample->streams) row.push_back(stream.right ? 0 : 1);
    streams += row.size();
    right += right_streams(*sample);
    any += right_streams(*sample) > 0 ? 1 : 0;
  }
  if (streams > 0) figures.accuracy = static_cast<double>(right) / static_cast<double>(streams);
  figures.any_right = static_cast<double>(any) / static_cast<double>(samples.size());
  const size_t width = errors.front().size();
  if (width == 0 ||
      std::any_of(errors.begin(), errors.end(), [&](auto& row) { return row.size() != width; }))
    return figures;
  figures.streams = static_cast<int>(width);
  figures.error_correlation = error_correlation(errors);
  figures.effective_streams = effective_streams(figures.streams, figures.error_correlation);
  return figures;
}

double search_waste(const SampleSet& samples) {
  double searched = 0, committed = 0;
  for (const EvaluationSample* sample : samples) {
    searched += sample->search_tokens;
    committed += sample->search_committed_tokens;
  }
  return searched > 0 ? 1 - committed / searched : 0;
}

}  // namespace polyphon
