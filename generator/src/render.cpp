#include "render.h"

#include <map>
#include <set>

#include "sagejit/generator/error.h"
#include "templates.h"

namespace sagejit {

std::string render(std::string_view text, const Bindings& bindings) {
    std::map<std::string_view, std::string_view> values;
    for (const auto& [name, value] : bindings) {
        if (!values.emplace(name, value).second) {
            throw Error(ErrorCode::kInternal, "placeholder bound twice: " + name, "render");
        }
    }
    std::set<std::string_view> used;
    std::string result;
    size_t position = 0;
    while (true) {
        const size_t start = text.find("${", position);
        if (start == std::string_view::npos) break;
        const size_t end = text.find('}', start);
        if (end == std::string_view::npos ||
            text.substr(start, end - start).find('\n') != std::string_view::npos) {
            throw Error(ErrorCode::kInternal, "unterminated placeholder", "render");
        }
        const std::string_view name = text.substr(start + 2, end - start - 2);
        const auto found = values.find(name);
        if (found == values.end()) {
            throw Error(ErrorCode::kInternal, "unbound placeholder: " + std::string(name),
                        "render");
        }
        used.insert(found->first);
        result += text.substr(position, start - position);
        result += found->second;
        position = end + 1;
    }
    result += text.substr(position);
    for (const auto& [name, value] : values) {
        if (!used.contains(name)) {
            throw Error(ErrorCode::kInternal, "unused binding: " + std::string(name), "render");
        }
    }
    return result;
}

std::string_view template_text(std::string_view name) {
    for (const Template& file : all_templates()) {
        if (file.name == name) return file.text;
    }
    throw Error(ErrorCode::kInternal, "no template " + std::string(name), "templates");
}

}  // namespace sagejit
