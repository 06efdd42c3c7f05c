#include "ptxas_log.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sagejit {
namespace {

// Takes the next line off the text, without its newline.
std::string_view next_line(std::string_view& text) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

// The number right before `unit`, e.g. 40 for " registers" in "Used 40 registers, 8 bytes smem".
std::optional<int> number_before(std::string_view line, std::string_view unit) {
    const size_t end = line.find(unit);
    if (end == std::string_view::npos) return std::nullopt;
    size_t begin = end;
    while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
    int value = 0;
    const auto [stop, error] = std::from_chars(line.data() + begin, line.data() + end, value);
    if (error != std::errc() || stop != line.data() + end) return std::nullopt;
    return value;
}

// The text between single quotes after `before`.
std::optional<std::string_view> quoted_after(std::string_view line, std::string_view before) {
    const size_t at = line.find(before);
    if (at == std::string_view::npos) return std::nullopt;
    line.remove_prefix(at + before.size());
    const size_t end = line.find('\'');
    if (end == std::string_view::npos) return std::nullopt;
    return line.substr(0, end);
}

bool is_information(std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
    if (line.find("(C7") != std::string_view::npos) return false;
    // A dot stands for `info` in the lines that continue one; some versions only indent them.
    return line.starts_with("ptxas info") || line.starts_with("ptxas         .") ||
           (line.starts_with("    ") &&
            line.find(" bytes stack frame, ") != std::string_view::npos);
}

}  // namespace

std::vector<CubinEntry> parse_ptxas_log(std::string_view log) {
    std::vector<CubinEntry> entries;
    while (!log.empty()) {
        const std::string_view line = next_line(log);
        if (!is_information(line)) continue;
        if (const auto symbol = quoted_after(line, "Compiling entry function '")) {
            entries.emplace_back().symbol = *symbol;
            continue;
        }
        if (entries.empty()) continue;
        CubinEntry& entry = entries.back();
        // One such line for the entry and for each function it calls.
        if (const auto stack = number_before(line, " bytes stack frame")) {
            entry.stack_bytes = std::max(entry.stack_bytes, *stack);
            entry.spill_store_bytes += number_before(line, " bytes spill stores").value_or(0);
            entry.spill_load_bytes += number_before(line, " bytes spill loads").value_or(0);
        }
        if (const auto registers = number_before(line, " registers")) {
            entry.registers = *registers;
            entry.static_shared_bytes = number_before(line, " bytes smem").value_or(0);
            entry.stack_bytes = std::max(
                entry.stack_bytes, number_before(line, " bytes cumulative stack size").value_or(0));
        }
    }
    std::sort(entries.begin(), entries.end(),
              [](const CubinEntry& a, const CubinEntry& b) { return a.symbol < b.symbol; });
    return entries;
}

std::string warnings_in_log(std::string_view log) {
    std::string warnings;
    while (!log.empty()) {
        const std::string_view line = next_line(log);
        if (is_information(line)) continue;
        warnings.append(line).push_back('\n');
    }
    return warnings;
}

}  // namespace sagejit
