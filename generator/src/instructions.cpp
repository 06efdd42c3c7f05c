#include "instructions.h"

#include <array>
#include <set>

namespace sagejit {
namespace {

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// All identifiers of a text.
std::set<std::string_view> words_of(std::string_view text) {
    std::set<std::string_view> words;
    for (size_t i = 0; i < text.size();) {
        if (!is_word(text[i])) {
            ++i;
            continue;
        }
        size_t end = i;
        while (end < text.size() && is_word(text[end])) ++end;
        words.insert(text.substr(i, end - i));
        i = end;
    }
    return words;
}

}  // namespace

std::string used_instructions(std::string_view body, Column column) {
    const std::array topics = {index_instructions(),   shared_instructions(), math_instructions(),
                               convert_instructions(), global_instructions(), matrix_instructions(),
                               async_instructions()};
    const auto text_of = [column](const Instruction& row) {
        return column == Column::kDevice ? row.device : row.host;
    };
    // Wrappers may use one another; what they use is wanted too.
    std::set<std::string_view> wanted = words_of(body);
    for (size_t before = 0; before != wanted.size();) {
        before = wanted.size();
        for (const std::span<const Instruction> rows : topics) {
            for (const Instruction& row : rows) {
                if (wanted.contains(row.name)) wanted.merge(words_of(text_of(row)));
            }
        }
    }
    std::string text;
    for (const std::span<const Instruction> rows : topics) {
        for (const Instruction& row : rows) {
            if (!wanted.contains(row.name)) continue;
            text += text_of(row);
            text += '\n';
        }
    }
    return text;
}

}  // namespace sagejit
