#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

}  // namespace

void Table::add(std::vector<std::string> cells) {
    for (std::string& cell : cells) std::replace(cell.begin(), cell.end(), '\n', ' ');
    rows_.push_back(std::move(cells));
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

}  // namespace sagejit::cli
