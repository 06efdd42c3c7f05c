// A file that rows are appended to as they are made, so that an interruption loses none.
#pragma once

#include <string>

#include "output.h"

namespace sagejit::cli {

class JsonLinesFile {
  public:
    // Opens a file to append to, creating it; an empty name is no file. Throws Error(kIo).
    explicit JsonLinesFile(const std::string& file);
    ~JsonLinesFile();
    JsonLinesFile(const JsonLinesFile&) = delete;
    JsonLinesFile& operator=(const JsonLinesFile&) = delete;

    // Appends one row in a single write; schema_version is put first. Throws Error(kIo).
    void append(const Json& row) const;

  private:
    std::string file_;
    int descriptor_ = -1;
};

}  // namespace sagejit::cli
