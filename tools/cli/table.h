// A table of strings, aligned for a terminal or as Markdown.
#pragma once

#include <string>
#include <vector>

namespace sagejit::cli {

class Table {
  public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    // As many cells as the header has.
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    std::string text() const;
    std::string markdown() const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace sagejit::cli
