#include "sessions/engine_roster.h"

#include <algorithm>

namespace polyphon {
namespace {

// Each nightly training makes a version; a server that runs for months must not list all of them.
constexpr size_t kMostVersions = 16;

}  // namespace

EngineRoster::Entry* EngineRoster::Entries::find(const std::string& version) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Entry& entry) { return entry.version == version; });
  return found == all.end() ? nullptr : &*found;
}

std::shared_ptr<Engine> EngineRoster::add(const std::string& version,
                                          std::unique_ptr<Engine> engine) {
  const auto end = [entries = entries_, version](Engine* ending) {
    const std::unique_ptr<Engine> owned(ending);
    const EngineCounts counts = ending->stop();
    const std::lock_guard lock(entries->mutex);
    Entry& entry = *entries->find(version);  // an entry with an engine is never erased
    std::erase(entry.engines, ending);
    entry.ended += counts;
  };
  std::shared_ptr<Engine> shared(engine.release(), end);

  const std::lock_guard lock(entries_->mutex);
  std::vector<Entry>& all = entries_->all;
  if (!entries_->find(version)) all.push_back({version, {}, {}});
  entries_->find(version)->engines.push_back(shared.get());
  for (auto entry = all.begin(); all.size() > kMostVersions && entry != all.end();)
    entry = entry->engines.empty() ? all.erase(entry) : std::next(entry);
  return shared;
}

std::vector<VersionStatus> EngineRoster::status() const {
  std::vector<VersionStatus> result;
  const std::lock_guard lock(entries_->mutex);
  for (const Entry& entry : entries_->all) {
    VersionStatus& sum = result.emplace_back(VersionStatus{entry.version, {}});
    sum.status += entry.ended;
    for (const Engine* const engine : entry.engines) sum.status += engine->status();
  }
  return result;
}

}  // namespace polyphon
