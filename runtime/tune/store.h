// Where tuning records are kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trusted_directory.h"
#include "tune/record.h"

namespace sagejit {

// Files of JSON lines in <cache>/tune, which only this user may write: records.jsonl, the winners,
// and measurements.jsonl, every finished measurement. Lines are appended whole, in one write each,
// so that an interruption loses nothing and several processes may tune at once. Reading never
// fails: what cannot be trusted is told by one warning, damaged lines are skipped with one.
class TuningStore {
  public:
    static constexpr const char* kRecords = "records.jsonl";
    static constexpr const char* kMeasurements = "measurements.jsonl";

    // cache: the cache directory; empty: the default one. Creates nothing.
    explicit TuningStore(const std::filesystem::path& cache);

    std::vector<TuningRecord> records() const;
    // The lines of a file, oldest first; none where there is no such file.
    std::vector<std::string> lines(const char* file) const;
    // Creates the directory where it is missing. Throws Error(kIo).
    void append(const char* file, const std::string& line) const;
    void append(const TuningRecord& record) const { append(kRecords, to_line(record)); }
    // For messages.
    std::filesystem::path path(const char* file) const { return root_ / "tune" / file; }

  private:
    TrustedDirectory directory(TrustedDirectory::Missing missing) const;

    std::filesystem::path root_;
};

// Records that came with sagejit: configs/tuned/*.jsonl as they were when it was built.
const std::vector<TuningRecord>& shipped_records();

// Text of those files, made by the build.
std::string_view shipped_record_lines();

}  // namespace sagejit
