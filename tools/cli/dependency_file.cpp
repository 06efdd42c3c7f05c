#include "dependency_file.h"

namespace sagejit::cli {
namespace {

std::string escaped(const std::string& path) {
    std::string text;
    for (const char c : path) {
        if (c == ' ' || c == '#' || c == '\\') text += '\\';
        if (c == '$') text += '$';
        text += c;
    }
    return text;
}

}  // namespace

std::string dependency_rule(const std::string& output, const std::vector<std::string>& inputs) {
    std::string rule = escaped(output) + ":";
    for (const std::string& input : inputs) rule += " \\\n  " + escaped(input);
    return rule + "\n";
}

}  // namespace sagejit::cli
