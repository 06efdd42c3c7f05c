// One self-contained HTML page: text, tables, pictures, its data as JSON. It loads nothing, runs no
// script and follows the reader's light or dark theme.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "report/charts.h"

namespace sagejit::report {

class Page {
  public:
    Page(std::string title, std::string subtitle);

    // All texts are plain: HTML's characters are escaped.
    void section(const std::string& title);
    void text(const std::string& paragraph);
    // What the reader must not miss: an estimate, something that was left out.
    void note(const std::string& paragraph);
    void facts(const std::vector<std::pair<std::string, std::string>>& pairs);
    // rows: as many cells as the header has. marked: indices of rows to stress. Cells that read as
    // numbers are aligned to the right.
    void table(const std::vector<std::string>& header,
               const std::vector<std::vector<std::string>>& rows,
               const std::vector<size_t>& marked = {});
    void figure(const Figure& figure, const std::string& caption);

    // The page. The data stands in it as <script type="application/json" id="data">.
    std::string html(const nlohmann::ordered_json& data) const;

  private:
    std::string title_, subtitle_, body_;
};

}  // namespace sagejit::report
