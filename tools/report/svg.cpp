#include "report/svg.h"

#include <fmt/format.h>

#include <algorithm>

namespace sagejit::report {
namespace {

// Shapes with a title hold it as a child, others close themselves.
std::string finish(std::string_view element, std::string_view title) {
    if (title.empty()) return "/>\n";
    return fmt::format("><title>{}</title></{}>\n", escape(title), element);
}

std::string_view anchor_text(Anchor anchor) {
    switch (anchor) {
        case Anchor::kStart:
            return "start";
        case Anchor::kMiddle:
            return "middle";
        case Anchor::kEnd:
            return "end";
    }
    return "start";
}

// Of UTF-8: not the first byte of a code point.
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

int colour(int series) { return ((series % kSeriesColours) + kSeriesColours) % kSeriesColours; }

}  // namespace

std::string escape(std::string_view text) {
    std::string result;
    for (const char c : text) {
        constexpr unsigned char kFirstPrintable = 0x20, kDelete = 0x7F;
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            case '\'':
                result += "&#39;";
                break;
            default:
                result += (byte < kFirstPrintable && c != '\n') || byte == kDelete ? '?' : c;
        }
    }
    return result;
}

size_t text_width(std::string_view text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string shortened(std::string_view text, size_t width) {
    if (text_width(text) <= width || width == 0) return std::string(text);
    size_t end = 0;
    for (size_t points = 0; end < text.size(); ++end) {
        if (continues(text[end])) continue;
        if (++points == width) break;
    }
    return std::string(text.substr(0, end)) + "…";
}

Svg::Svg(double width, double height, std::string_view description)
    : head_(fmt::format("<svg viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
                        "role=\"img\" aria-label=\"{2}\">\n",
                        width, height, escape(description))) {}

void Svg::rect(double x, double y, double width, double height, std::string_view css,
               std::string_view title, double opacity) {
    body_ += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" "
        "class=\"{}\"",
        x, y, std::max(width, 0.0), std::max(height, 0.0), css);
    if (opacity < 1) body_ += fmt::format(" fill-opacity=\"{:.3f}\"", opacity);
    body_ += finish("rect", title);
}

void Svg::circle(double x, double y, double radius, std::string_view css, std::string_view title) {
    body_ += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:.2f}\" class=\"{}\"", x, y,
                         radius, css);
    body_ += finish("circle", title);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css) {
    body_ += fmt::format(
        "<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" class=\"{}\"/>\n", x1, y1,
        x2, y2, css);
}

void Svg::polyline(std::string_view points, std::string_view css) {
    body_ += fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", points, css);
}

void Svg::text(double x, double y, std::string_view content, std::string_view css, Anchor anchor) {
    body_ +=
        fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n",
                    x, y, css, anchor_text(anchor), escape(content));
}

void Svg::vertical_text(double x, double y, std::string_view content, std::string_view css) {
    body_ += fmt::format(
        "<text x=\"{0:.2f}\" y=\"{1:.2f}\" class=\"{2}\" text-anchor=\"middle\" "
        "transform=\"rotate(-90 {0:.2f} {1:.2f})\">{3}</text>\n",
        x, y, css, escape(content));
}

std::string series_fill(int series) { return fmt::format("fill{}", colour(series)); }
std::string series_stroke(int series) { return fmt::format("stroke{}", colour(series)); }

}  // namespace sagejit::report
