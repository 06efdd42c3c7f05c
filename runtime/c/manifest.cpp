// Manifests of the C API.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "kernel.h"
#include "options.h"
#include "sagejit/registry.h"
#include "status.h"

using namespace sagejit;

struct sagejit_warmup_report {
    std::vector<WarmupResult> results;
};

sagejit_status sagejit_warmup(const char* manifest_json, const sagejit_prepare_options* options,
                              int32_t threads, sagejit_warmup_report** report) {
    return c::guarded([&] {
        c::required(manifest_json, "manifest_json");
        c::required(report, "report");
        if (threads < 0) {
            c::refuse("threads", fmt::format("expected 0 or more, got {}", threads));
        }
        const PrepareOptions chosen = c::to_prepare_options(options);
        *report = new sagejit_warmup_report{warmup(manifest_json, chosen, threads)};
    });
}

size_t sagejit_warmup_report_size(const sagejit_warmup_report* report) {
    return report != nullptr ? report->results.size() : 0;
}

sagejit_status sagejit_warmup_report_line(const sagejit_warmup_report* report, size_t index,
                                          sagejit_warmup_line* line) {
    return c::guarded([&] {
        const std::vector<WarmupResult>& results = c::required(report, "report")->results;
        if (index >= results.size()) {
            c::refuse("index", fmt::format("expected less than {}, got {}", results.size(), index));
        }
        const WarmupResult& result = results[index];
        sagejit_warmup_line known = SAGEJIT_WARMUP_LINE_INIT;
        known.config = result.config.c_str();
        known.device = result.device.c_str();
        known.problem = result.problem.c_str();
        if (result.shape) {
            const auto& [batch, heads_q, heads_kv, len_q, len_k] = *result.shape;
            std::ranges::copy(std::array{batch, heads_q, heads_kv, len_q, len_k}, known.shape);
        }
        known.from_cache = result.report.from_cache ? 1 : 0;
        known.tuning = c::from_tuning(result.report.tuning);
        known.compile_ms = result.report.compile_ms;
        known.load_ms = result.report.load_ms;
        known.bundle = result.report.bundle.c_str();
        c::write_sized(known, line, "line");
    });
}

void sagejit_warmup_report_release(sagejit_warmup_report* report) { delete report; }

sagejit_status sagejit_prepared_manifest(char** manifest_json) {
    return c::guarded([&] {
        c::required(manifest_json, "manifest_json");
        const std::string text = prepared_manifest();
        auto* copy = new char[text.size() + 1];
        std::memcpy(copy, text.c_str(), text.size() + 1);
        *manifest_json = copy;
    });
}

void sagejit_text_release(char* text) { delete[] text; }
