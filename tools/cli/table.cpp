#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "output.h"

namespace sagejit::cli {
namespace {

// A cell of a Markdown table cannot hold the character that ends it.
std::string escaped(const std::string& cell) {
    std::string result;
    for (const char c : cell) {
        if (c == '|') result += '\\';
        result += c;
    }
    return result;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Code points of UTF-8, which stand in one column each, more or less.
size_t width_of(std::string_view text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

// The first `width` columns; the last of them shows that something was cut.
std::string cut(const std::string& text, size_t width) {
    if (width_of(text) <= width) return text;
    size_t bytes = 0;
    for (size_t columns = 0; bytes < text.size(); ++bytes) {
        if (continues(text[bytes])) continue;
        if (++columns == width) break;
    }
    return text.substr(0, bytes) + "~";
}

std::string_view escape_of(Tone tone) {
    switch (tone) {
        case Tone::kPlain:
            return "";
        case Tone::kGood:
            return "\x1b[1;32m";
        case Tone::kBad:
            return "\x1b[31m";
        case Tone::kQuiet:
            return "\x1b[2m";
    }
    return "";
}

constexpr size_t kGap = 2;  // columns between cells

}  // namespace

void Table::add(std::vector<std::string> cells, Tone tone) {
    for (std::string& cell : cells) std::replace(cell.begin(), cell.end(), '\n', ' ');
    rows_.push_back(std::move(cells));
    tones_.push_back(tone);
}

std::string Table::terminal_text(bool colour) const {
    std::vector<size_t> widths(rows_.front().size(), 0);
    std::vector<std::vector<std::string>> rows = rows_;
    for (auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            row[i] = printable(row[i]);
            std::replace(row[i].begin(), row[i].end(), '\t', ' ');
            widths[i] = std::max(widths[i], width_of(row[i]));
        }
    }
    const auto total = [&] {
        return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
    };
    while (total() > kTerminalColumns) --*std::max_element(widths.begin(), widths.end());
    std::string result;
    for (size_t row = 0; row < rows.size(); ++row) {
        std::string line;
        for (size_t i = 0; i < rows[row].size(); ++i) {
            const std::string cell = cut(rows[row][i], widths[i]);
            line += cell + std::string(widths[i] - width_of(cell) + kGap, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        const std::string_view escape = row == 0 ? "\x1b[1m" : escape_of(tones_[row]);
        result +=
            colour && !escape.empty() ? fmt::format("{}{}\x1b[0m\n", escape, line) : line + "\n";
    }
    return result;
}

std::string Table::text() const {
    std::vector<size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string result;
    for (const auto& row : rows_) {
        std::string line;
        for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        result += line + "\n";
    }
    return result;
}

std::string Table::markdown() const {
    std::string result;
    for (size_t i = 0; i < rows_.size(); ++i) {
        for (const std::string& cell : rows_[i]) result += fmt::format("| {} ", escaped(cell));
        result += "|\n";
        if (i > 0) continue;
        for (size_t column = 0; column < rows_[i].size(); ++column) result += "|---";
        result += "|\n";
    }
    return result;
}

void TitledTables::add(const std::string& title, std::vector<std::string> cells) {
    if (tables_.empty() || tables_.back().first != title) tables_.emplace_back(title, header_);
    tables_.back().second.add(std::move(cells));
}

std::string TitledTables::terminal_text(bool colour) const {
    std::string text;
    for (const auto& [title, table] : tables_) {
        if (!text.empty()) text += "\n";
        text += cut(printable(title), kTerminalColumns) + "\n" + table.terminal_text(colour);
    }
    return text;
}

}  // namespace sagejit::cli
