// A table of strings, aligned for a terminal or as Markdown.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sagejit::cli {

// What a row is about, shown in colour where there is any.
enum class Tone { kPlain, kGood, kBad, kQuiet };

inline constexpr size_t kTerminalColumns = 100;

class Table {
  public:
    explicit Table(std::vector<std::string> header)
        : rows_{std::move(header)}, tones_{Tone::kPlain} {}
    // As many cells as the header has, each on one line.
    void add(std::vector<std::string> cells, Tone tone = Tone::kPlain);

    std::string text() const;
    // For a terminal: at most kTerminalColumns wide, by cutting the longest cells with "~", and
    // already made printable; in colour if asked. Do not pass it through printable().
    std::string terminal_text(bool colour) const;
    std::string markdown() const;

    const std::vector<std::vector<std::string>>& rows() const { return rows_; }

  private:
    std::vector<std::vector<std::string>> rows_;  // the header first
    std::vector<Tone> tones_;
};

// Tables of one header, each under a title that its rows have in common.
class TitledTables {
  public:
    explicit TitledTables(std::vector<std::string> header) : header_(std::move(header)) {}
    // A title other than the last one's begins a table.
    void add(const std::string& title, std::vector<std::string> cells);
    // Each as Table::terminal_text gives it.
    std::string terminal_text(bool colour) const;

  private:
    std::vector<std::string> header_;
    std::vector<std::pair<std::string, Table>> tables_;
};

}  // namespace sagejit::cli
