// A table of strings, aligned for a terminal or as Markdown.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sagejit::cli {

class Table {
  public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    // As many cells as the header has, each on one line.
    void add(std::vector<std::string> cells);

    std::string text() const;
    std::string markdown() const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace sagejit::cli
