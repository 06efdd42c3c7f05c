#include "config_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "sagejit/generator/target.h"

namespace sagejit::cli {
namespace {

constexpr size_t kMaxConfigBytes = size_t{1} << 20;  // a config has about a dozen members

[[noreturn]] void refuse(const std::string& file, const std::string& message) {
    throw Error(ErrorCode::kIo, message, file, "name a JSON config, e.g. one of configs/");
}

std::string read_text(const std::string& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) refuse(file, fmt::format("cannot open: {}", std::strerror(errno)));
    std::string text(kMaxConfigBytes + 1, '\0');
    size_t size = 0;
    int failure = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) failure = errno;
        if (got <= 0) break;
        size += static_cast<size_t>(got);
    }
    ::close(descriptor);
    if (failure != 0) refuse(file, fmt::format("cannot read: {}", std::strerror(failure)));
    if (size > kMaxConfigBytes) {
        refuse(file, fmt::format("has more than the {} bytes of a config", kMaxConfigBytes));
    }
    text.resize(size);
    return text;
}

}  // namespace

std::string read_small_text(const std::string& file) { return read_text(file); }

Config read_config(const std::string& file, const std::string& target) {
    Config config{file, {}, parse_spec(read_text(file), file)};
    config.name =
        config.spec.name.empty() ? std::filesystem::path(file).stem().string() : config.spec.name;
    if (!target.empty()) config.spec.target = find_target(target).name;
    return config;
}

std::vector<Config> read_configs(const std::vector<std::string>& files, const std::string& target) {
    std::vector<Config> configs;
    for (const std::string& file : files) configs.push_back(read_config(file, target));
    return configs;
}

Plan plan_config(const Config& config) {
    const Target& target = find_target(config.spec.target.value_or(std::string(kDefaultTarget)));
    try {
        return make_plan(config.spec, target);
    } catch (const Error& error) {
        throw Error(error.code(), error.message(), config.file + ": " + error.where(), error.fix());
    }
}

Json spec_json(const Spec& spec) { return Json::parse(to_json(spec)); }

}  // namespace sagejit::cli
