// What bench measured and what tune found, as pages.
#pragma once

#include <string>

#include "output.h"

namespace sagejit::cli {

// rows: of `sagejit bench --json` (bench_row.h), errors among them. Speeds as bars, quartiles in a
// table and, where a config has several plans of one shape, a heatmap of their tiles.
std::string bench_html(const Json& rows, const Json& data);

// results: of `sagejit tune --json` (tune_pair.h). For each config and shape a heatmap of tiles and
// what was predicted against what was measured.
std::string tune_html(const Json& results, const Json& data);

}  // namespace sagejit::cli
