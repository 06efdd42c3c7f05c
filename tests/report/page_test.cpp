#include "report/page.h"

#include <catch2/catch.hpp>
#include <string>

#include "report/svg.h"

namespace sagejit::report {
namespace {

using Json = nlohmann::ordered_json;

size_t occurrences(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

// The data of a page, as a reader would take it out.
std::string data_text(const std::string& html) {
    const std::string start = "id=\"data\">";
    const size_t begin = html.find(start) + start.size();
    return html.substr(begin, html.find("</script>", begin) - begin);
}

}  // namespace

TEST_CASE("page: text cannot become markup") {
    const std::string hostile = "<b a=\"1\" b='2'>&\x1b[2J";
    CHECK(escape(hostile) == "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;?[2J");
    CHECK(escape("Q·Kᵀ") == "Q·Kᵀ");
    Page page(hostile, hostile);
    page.section(hostile);
    page.text(hostile);
    page.note(hostile);
    page.facts({{hostile, hostile}});
    page.table({hostile}, {{hostile}});
    page.figure({"<svg></svg>", {{hostile, 1}}}, hostile);
    const std::string html = page.html({{"name", hostile}});
    CHECK(html.find("<b a=") == std::string::npos);
    CHECK(html.find('\x1b') == std::string::npos);
    CHECK(occurrences(html, "&lt;b a=&quot;1&quot;") == 12);  // the title twice
}

TEST_CASE("page: the data is JSON that no text can end") {
    const std::string hostile = "</script><!-- <script>";
    const std::string html = Page("t", "s").html({{"name", hostile}, {"value", 1.5}});
    CHECK(occurrences(html, "</script>") == 1);
    const Json data = Json::parse(data_text(html));
    CHECK(data["name"] == hostile);
    CHECK(data["value"] == 1.5);
    // Not UTF-8: replaced, not thrown.
    CHECK_NOTHROW(Page("t", "s").html({{"name", "\xff"}}));
}

TEST_CASE("page: loads nothing and follows the theme") {
    const std::string html = Page("t", "s").html(Json::object());
    CHECK(html.find("http:") == std::string::npos);
    CHECK(html.find("https:") == std::string::npos);
    CHECK(html.find("src=") == std::string::npos);
    CHECK(html.find("prefers-color-scheme: dark") != std::string::npos);
    CHECK(html.starts_with("<!DOCTYPE html>"));
}

TEST_CASE("page: numbers stand to the right, marked rows are marked") {
    Page page("t", "s");
    page.table({"name", "ms", "mixed"}, {{"a", "1.5", "1"}, {"b", "-", "x"}}, {1});
    const std::string html = page.html(Json::object());
    CHECK(html.find("<td>a</td><td class=\"number\">1.5</td><td>1</td>") != std::string::npos);
    CHECK(html.find("<tr class=\"marked\"><td>b</td><td class=\"number\">-</td>") !=
          std::string::npos);
}

TEST_CASE("svg: shapes, titles and widths") {
    Svg svg(100, 50, "a <picture>");
    svg.rect(1, 2, -3, 4, "heat", "tip & more", 0.5);
    svg.text(1, 2, "x<y", "label", Anchor::kEnd);
    const std::string text = svg.str();
    CHECK(text.find("aria-label=\"a &lt;picture&gt;\"") != std::string::npos);
    CHECK(text.find("width=\"0.00\"") != std::string::npos);  // never negative
    CHECK(text.find("fill-opacity=\"0.500\"><title>tip &amp; more</title></rect>") !=
          std::string::npos);
    CHECK(text.find("text-anchor=\"end\">x&lt;y</text>") != std::string::npos);
    CHECK(series_fill(0) == series_fill(kSeriesColours));
    CHECK(text_width("Kᵀ·") == 3);
    CHECK(shortened("Kᵀ·V", 3) == "Kᵀ…");
    CHECK(shortened("KV", 2) == "KV");
}

}  // namespace sagejit::report
