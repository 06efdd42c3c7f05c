// Writing inline SVG. Colours are CSS classes of the page's style sheet (style.h), so that a
// picture follows the reader's theme.
#pragma once

#include <string>
#include <string_view>

namespace sagejit::report {

// The text with what HTML and XML reserve replaced, and control characters as '?'.
std::string escape(std::string_view text);

// How many characters wide a text is, one for each code point of UTF-8.
size_t text_width(std::string_view text);

// At most `width` code points: a longer text ends with "…".
std::string shortened(std::string_view text, size_t width);

enum class Anchor { kStart, kMiddle, kEnd };

// One picture. Coordinates are CSS pixels from its upper left corner; css names one or several
// classes; title, where there is one, is what pointing at the shape shows.
class Svg {
  public:
    // description: what a reader who cannot see the picture is told.
    Svg(double width, double height, std::string_view description);

    // opacity: of the filling, 0 to 1.
    void rect(double x, double y, double width, double height, std::string_view css,
              std::string_view title = {}, double opacity = 1);
    void circle(double x, double y, double radius, std::string_view css,
                std::string_view title = {});
    void line(double x1, double y1, double x2, double y2, std::string_view css);
    // points: "x,y x,y ..."
    void polyline(std::string_view points, std::string_view css);
    void text(double x, double y, std::string_view content, std::string_view css = "label",
              Anchor anchor = Anchor::kStart);
    // Turned by 90 degrees against the clock about its middle.
    void vertical_text(double x, double y, std::string_view content, std::string_view css);

    std::string str() const { return head_ + body_ + "</svg>\n"; }

  private:
    std::string head_, body_;
};

// The class that fills with the colour of a series; there are kSeriesColours, then they repeat.
inline constexpr int kSeriesColours = 8;
std::string series_fill(int series);
std::string series_stroke(int series);

}  // namespace sagejit::report
