#include "bundle/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "bundle/layout.h"
#include "target_rank.h"

namespace sagejit {
namespace {

// Keeps the order of members, so that specs and plans come out as they went in.
using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr int kMaxDepth = 16;        // a region of a plan is the deepest, at 7
constexpr size_t kMaxText = 4096;    // of a name, an option or a symbol
constexpr size_t kMaxMembers = 256;  // of one object; a plan has about a dozen
constexpr uint64_t kMaxBucket = uint64_t{1} << 62;
constexpr size_t kHashDigits = 32;

// The one object with its members checked off: each is asked for once, and none is left over.
class Members {
  public:
    Members(const Json& json, std::string where, const std::string& origin)
        : json_(json), where_(std::move(where)), origin_(origin) {
        if (!json.is_object()) refuse("is not an object");
    }

    [[noreturn]] void refuse(const std::string& problem) const {
        refuse_bundle(origin_, fmt::format("its manifest{} {}", where_, problem));
    }

    const Json& take(const char* key) {
        const auto found = json_.find(key);
        if (found == json_.end()) refuse(fmt::format("lacks {}", key));
        ++taken_;
        return *found;
    }

    std::string text(const char* key) {
        const Json& value = take(key);
        if (!value.is_string()) refuse(fmt::format("has no text for {}", key));
        const auto& content = value.get_ref<const std::string&>();
        if (content.size() > kMaxText) refuse(fmt::format("has too long a {}", key));
        return content;
    }

    std::string hash(const char* key) {
        std::string digits = text(key);
        const bool good = digits.size() == kHashDigits &&
                          digits.find_first_not_of("0123456789abcdef") == std::string::npos;
        if (!good) refuse(fmt::format("has no hash for {}", key));
        return digits;
    }

    uint64_t number(const char* key, uint64_t most) {
        const Json& value = take(key);
        if (!value.is_number_unsigned() || value.get<uint64_t>() > most) {
            refuse(fmt::format("needs a whole number from 0 to {} for {}", most, key));
        }
        return value.get<uint64_t>();
    }

    int count(const char* key) {
        return static_cast<int>(number(key, std::numeric_limits<int>::max()));
    }

    bool has(const char* key) const { return json_.contains(key); }

    const Json& array(const char* key) {
        const Json& value = take(key);
        if (!value.is_array()) refuse(fmt::format("has no array for {}", key));
        return value;
    }

    // An object of another format, kept as one line of text.
    std::string object_text(const char* key) {
        const Json& value = take(key);
        if (!value.is_object()) refuse(fmt::format("has no object for {}", key));
        return value.dump();
    }

    // To be called after the last member was taken.
    void end() const {
        if (taken_ != json_.size()) refuse("has a member that is not known");
    }

    std::string path(const char* key, size_t index) const {
        return fmt::format("{}/{}/{}", where_, key, index);
    }

  private:
    const Json& json_;
    std::string where_;
    const std::string& origin_;
    size_t taken_ = 0;
};

// Stops at what is nested too deep and at a member that is there twice, while it is read.
class StrictParse {
  public:
    explicit StrictParse(const std::string& origin) : origin_(origin) {}

    bool operator()(int depth, Json::parse_event_t event, Json& value) {
        switch (event) {
            case Json::parse_event_t::object_start:
            case Json::parse_event_t::array_start:
                if (depth >= kMaxDepth) refuse_bundle(origin_, "its manifest is nested too deep");
                keys_.emplace_back();
                break;
            case Json::parse_event_t::object_end:
            case Json::parse_event_t::array_end:
                keys_.pop_back();
                break;
            case Json::parse_event_t::key:
                // Json looks through all members for each: many would take for ever.
                if (keys_.back().size() >= kMaxMembers) {
                    refuse_bundle(origin_, "its manifest has an object with too many members");
                }
                if (!keys_.back().insert(value.get<std::string>()).second) {
                    refuse_bundle(origin_, "its manifest has a member twice");
                }
                break;
            case Json::parse_event_t::value:
                break;
        }
        return true;
    }

  private:
    const std::string& origin_;
    std::vector<std::set<std::string>> keys_;
};

Json parse_strictly(std::string_view text, const std::string& origin) {
    try {
        return Json::parse(text, StrictParse(origin));
    } catch (const nlohmann::json::exception&) {
        refuse_bundle(origin, "its manifest is not JSON");
    }
}

bool is_symbol(const std::string& text) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), plain);
}

CubinEntry parse_entry(Members members) {
    CubinEntry entry;
    entry.symbol = members.text("symbol");
    if (!is_symbol(entry.symbol)) members.refuse("has a symbol that is none");
    entry.registers = members.count("registers");
    entry.stack_bytes = members.count("stack_bytes");
    entry.spill_store_bytes = members.count("spill_store_bytes");
    entry.spill_load_bytes = members.count("spill_load_bytes");
    entry.static_shared_bytes = members.count("static_shared_bytes");
    members.end();
    return entry;
}

BundleTuning parse_tuning(Members members) {
    // Only what a bucket can be.
    const auto power = [&members](const char* key) {
        const uint64_t value = members.number(key, kMaxBucket);
        if (!std::has_single_bit(value)) {
            members.refuse(fmt::format("has no power of two for {}", key));
        }
        return static_cast<int64_t>(value);
    };
    BundleTuning tuning;
    tuning.device = members.text("device");
    tuning.multiprocessors = members.count("multiprocessors");
    tuning.compute_capability = members.text("compute_capability");
    tuning.rows = power("rows");
    tuning.len_q = power("len_q");
    tuning.len_k = power("len_k");
    members.end();
    return tuning;
}

BundleKernel parse_kernel(Members members, const std::vector<StoredCubin>& cubins,
                          const std::string& origin) {
    BundleKernel kernel;
    kernel.name = members.text("name");
    kernel.asked = members.object_text("asked");
    kernel.spec = members.object_text("spec");
    kernel.target = members.text("target");
    if (parse_architecture(kernel.target).number == 0) members.refuse("has a target that is none");
    kernel.plan = members.object_text("plan");
    kernel.source_hash = members.hash("source_hash");
    for (const Json& option : members.array("options")) {
        if (!option.is_string()) members.refuse("has an option that is no text");
        kernel.options.push_back(option.get<std::string>());
    }
    if (cubins.empty()) members.refuse("has no cubin");
    kernel.cubin = members.number("cubin", cubins.size() - 1);
    kernel.cubin_bytes = cubins[kernel.cubin].bytes;
    const Json& entries = members.array("entries");
    for (size_t i = 0; i < entries.size(); ++i) {
        kernel.entries.push_back(
            parse_entry(Members(entries[i], members.path("entries", i), origin)));
    }
    if (members.has("tuned")) {
        const Json& tuned = members.array("tuned");
        for (size_t i = 0; i < tuned.size(); ++i) {
            kernel.tuned.push_back(
                parse_tuning(Members(tuned[i], members.path("tuned", i), origin)));
        }
    }
    if (members.has("slow_code")) {
        kernel.slow_code = members.text("slow_code");
        if (kernel.slow_code.empty()) members.refuse("has an empty slow_code");
    }
    members.end();
    return kernel;
}

Json entry_json(const CubinEntry& entry) {
    return {{"symbol", entry.symbol},
            {"registers", entry.registers},
            {"stack_bytes", entry.stack_bytes},
            {"spill_store_bytes", entry.spill_store_bytes},
            {"spill_load_bytes", entry.spill_load_bytes},
            {"static_shared_bytes", entry.static_shared_bytes}};
}

Json tuning_json(const BundleTuning& tuning) {
    return {{"device", tuning.device},
            {"multiprocessors", tuning.multiprocessors},
            {"compute_capability", tuning.compute_capability},
            {"rows", tuning.rows},
            {"len_q", tuning.len_q},
            {"len_k", tuning.len_k}};
}

}  // namespace

Manifest parse_manifest(std::string_view text, const std::string& origin) {
    const Json json = parse_strictly(text, origin);
    Members members(json, "", origin);
    Manifest manifest;
    members.number("schema", kSchema);
    if (json["schema"] != kSchema) members.refuse("has another schema");
    manifest.generator = members.text("generator");
    manifest.nvrtc = members.text("nvrtc");
    const Json& cubins = members.array("cubins");
    for (size_t i = 0; i < cubins.size(); ++i) {
        Members cubin(cubins[i], members.path("cubins", i), origin);
        manifest.cubins.push_back({cubin.number("bytes", kMaxCubinBytes), cubin.hash("checksum")});
        cubin.end();
    }
    const Json& kernels = members.array("kernels");
    for (size_t i = 0; i < kernels.size(); ++i) {
        manifest.kernels.push_back(parse_kernel(
            Members(kernels[i], members.path("kernels", i), origin), manifest.cubins, origin));
    }
    members.end();
    return manifest;
}

std::string print_manifest(const Manifest& manifest) {
    Json cubins = Json::array(), kernels = Json::array();
    for (const StoredCubin& cubin : manifest.cubins) {
        cubins.push_back({{"bytes", cubin.bytes}, {"checksum", cubin.checksum}});
    }
    for (const BundleKernel& kernel : manifest.kernels) {
        Json entries = Json::array();
        for (const CubinEntry& entry : kernel.entries) entries.push_back(entry_json(entry));
        Json printed = {{"name", kernel.name},
                        {"asked", Json::parse(kernel.asked)},
                        {"spec", Json::parse(kernel.spec)},
                        {"target", kernel.target},
                        {"plan", Json::parse(kernel.plan)},
                        {"source_hash", kernel.source_hash},
                        {"options", kernel.options},
                        {"cubin", kernel.cubin},
                        {"entries", std::move(entries)}};
        if (!kernel.tuned.empty()) {
            printed["tuned"] = Json::array();
            for (const BundleTuning& tuning : kernel.tuned) {
                printed["tuned"].push_back(tuning_json(tuning));
            }
        }
        if (!kernel.slow_code.empty()) printed["slow_code"] = kernel.slow_code;
        kernels.push_back(std::move(printed));
    }
    const Json json = {{"schema", kSchema},
                       {"generator", manifest.generator},
                       {"nvrtc", manifest.nvrtc},
                       {"cubins", std::move(cubins)},
                       {"kernels", std::move(kernels)}};
    // A name taken from a file's need not be UTF-8; JSON must.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sagejit
