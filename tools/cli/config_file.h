// Config files as the command line takes them.
#pragma once

#include <string>
#include <vector>

#include "output.h"
#include "sagejit/generator/plan.h"
#include "sagejit/generator/spec.h"

namespace sagejit::cli {

struct Config {
    std::string file;
    std::string name;  // the spec's, else the file's without its extension
    Spec spec;         // with the command line's target, if it named one
};

// Reads and parses a config; target, unless empty, replaces the config's own.
// Throws Error(kIo) and what parse_spec and find_target throw.
Config read_config(const std::string& file, const std::string& target);
std::vector<Config> read_configs(const std::vector<std::string>& files, const std::string& target);

// The text of a file of at most 1 MiB. Throws Error(kIo).
std::string read_small_text(const std::string& file);

// Plans for the config's target, else for the default one. Errors name the config file.
Plan plan_config(const Config& config);

// The spec, every member spelled out, as a JSON object.
Json spec_json(const Spec& spec);

}  // namespace sagejit::cli
