#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/style.h"
#include "report/svg.h"

namespace sagejit::report {
namespace {

// Numbers, with a unit or a sign, and the dash that stands for none.
bool reads_as_number(const std::string& cell) {
    if (cell == "-" || cell == "–") return true;
    const size_t first = cell.find_first_not_of("+-<~ ");
    return first != std::string::npos && cell[first] >= '0' && cell[first] <= '9';
}

// Within <script> only "</" and "<!" are read; without any '<' there is neither.
std::string script_text(const nlohmann::ordered_json& data) {
    std::string result;
    for (const char c :
         data.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
        if (c == '<') {
            result += "\\u003c";
        } else {
            result += c;
        }
    }
    return result;
}

}  // namespace

Page::Page(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

void Page::section(const std::string& title) {
    body_ += fmt::format("<h2>{}</h2>\n", escape(title));
}

void Page::text(const std::string& paragraph) {
    body_ += fmt::format("<p>{}</p>\n", escape(paragraph));
}

void Page::note(const std::string& paragraph) {
    body_ += fmt::format("<p class=\"note\">{}</p>\n", escape(paragraph));
}

void Page::facts(const std::vector<std::pair<std::string, std::string>>& pairs) {
    body_ += "<dl>\n";
    for (const auto& [name, value] : pairs) {
        body_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value));
    }
    body_ += "</dl>\n";
}

void Page::table(const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows,
                 const std::vector<size_t>& marked) {
    std::vector<bool> numeric(header.size(), !rows.empty());
    for (const std::vector<std::string>& row : rows) {
        for (size_t i = 0; i < numeric.size(); ++i) {
            numeric[i] = numeric[i] && reads_as_number(row[i]);
        }
    }
    const auto cell = [&](const char* tag, size_t column, const std::string& text) {
        return fmt::format("<{0}{1}>{2}</{0}>", tag, numeric[column] ? " class=\"number\"" : "",
                           escape(text));
    };
    body_ += "<div class=\"scroll\"><table>\n<thead><tr>";
    for (size_t i = 0; i < header.size(); ++i) body_ += cell("th", i, header[i]);
    body_ += "</tr></thead>\n<tbody>\n";
    for (size_t row = 0; row < rows.size(); ++row) {
        const bool stressed = std::find(marked.begin(), marked.end(), row) != marked.end();
        body_ += stressed ? "<tr class=\"marked\">" : "<tr>";
        for (size_t i = 0; i < header.size(); ++i) body_ += cell("td", i, rows[row][i]);
        body_ += "</tr>\n";
    }
    body_ += "</tbody></table></div>\n";
}

void Page::figure(const Figure& figure, const std::string& caption) {
    body_ += "<figure>\n" + figure.svg;
    if (!figure.legend.empty()) {
        body_ += "<div class=\"legend\">";
        for (const LegendEntry& entry : figure.legend) {
            body_ += fmt::format("<span><i class=\"back{}\"></i>{}</span>",
                                 entry.series % kSeriesColours, escape(entry.text));
        }
        body_ += "</div>\n";
    }
    body_ += fmt::format("<figcaption>{}</figcaption>\n</figure>\n", escape(caption));
}

std::string Page::html(const nlohmann::ordered_json& data) const {
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<link rel=\"icon\" href=\"data:,\">\n"
        "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
        "<p class=\"subtitle\">{2}</p>\n{3}"
        "<footer>Made by sagejit. The numbers are in this file as JSON, in the element "
        "with the id “data”.</footer>\n"
        "<script type=\"application/json\" id=\"data\">\n{4}\n</script>\n</body>\n</html>\n",
        escape(title_), kStyle, escape(subtitle_), body_, script_text(data));
}

}  // namespace sagejit::report
