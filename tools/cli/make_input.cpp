// sagejit make-input: reproducible q, k, v from a named distribution.
#include <fmt/format.h>

#include <array>
#include <memory>

#include "output.h"
#include "output_path.h"
#include "shape_option.h"
#include "tensor/distributions.h"
#include "tensor/safetensors.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string distribution, shape, dtype = "fp16", output;
    uint64_t seed = 0;
    bool json = false;
};

int run_make_input(const Options& options) {
    const Sizes sizes = parse_sizes(options.shape);
    check_output(options.output, {});
    const DataType dtype =
        options.dtype == to_string(DataType::kBf16) ? DataType::kBf16 : DataType::kFp16;
    const AttentionInput input = make_input(options.distribution, sizes.shape, sizes.head_dim,
                                            sizes.head_dim_v, dtype, options.seed);
    const std::array tensors = {to_stored_tensor("q", input.q), to_stored_tensor("k", input.k),
                                to_stored_tensor("v", input.v)};
    write_safetensors(options.output, tensors,
                      {{"distribution", options.distribution},
                       {"seed", std::to_string(options.seed)},
                       {"shape", options.shape}});
    if (!options.json) {
        note(fmt::format("wrote {}", options.output));
        return kOk;
    }
    Json shapes = Json::object();
    for (const StoredTensor& tensor : tensors) shapes[tensor.name] = tensor.shape;
    print_json({{"file", options.output},
                {"distribution", options.distribution},
                {"seed", options.seed},
                {"dtype", options.dtype},
                {"tensors", std::move(shapes)}});
    return kOk;
}

}  // namespace

void add_make_input(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "make-input", "Write reproducible q, k, v");
    std::vector<std::string> names;
    std::string footer = "Distributions:\n";
    for (const Distribution& distribution : distributions()) {
        names.emplace_back(distribution.name);
        footer += fmt::format("  {:<16}{}\n", distribution.name, distribution.description);
    }
    verb.choice("--distribution", options->distribution, "NAME", names, "One of those listed below",
                Presence::kRequired);
    verb.text("--shape", options->shape, kShapePlaceholder,
              "Batch, query heads, KV heads, query tokens, key tokens, head_dim [, of V]",
              Presence::kRequired);
    verb.choice("--dtype", options->dtype, "TYPE", {"fp16", "bf16"},
                "fp16 or bf16 (default: fp16)");
    verb.whole_number("--seed", options->seed, "N",
                      "Whole number; the same one gives the same bytes (default: 0)");
    verb.text("-o,--output", options->output, "FILE", "safetensors file to write",
              Presence::kRequired);
    verb.json(options->json);
    verb.footer(footer +
                "\nExample:\n"
                "  sagejit make-input --distribution k_channel_bias --shape 1,8,2,512,512,64 \\\n"
                "      -o input.safetensors");
    verb.action([options] { return run_make_input(*options); });
}

}  // namespace sagejit::cli
