// The template files, embedded at build time.
#pragma once

#include <span>
#include <string_view>

namespace sagejit {

struct Template {
    std::string_view name;  // path below templates/, e.g. "attention/kernel.cuh"
    std::string_view text;
};

std::span<const Template> all_templates();

// The text of one template. Throws Error(kInternal) for an unknown name.
std::string_view template_text(std::string_view name);

// 16 hex digits: a hash of the templates and of the generator's own sources.
std::string_view deciding_sources_hash();

}  // namespace sagejit
