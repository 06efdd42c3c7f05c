// sagejit bundle: what is in a bundle, and whether all of it is good.
#include "sagejit/bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "bundle_report.h"
#include "output.h"
#include "sagejit/generator/source.h"
#include "table.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string action, file;
    bool json = false;
};

Json kernel_json(const BundleKernel& kernel) {
    return {{"config", kernel.name},
            {"target", kernel.target},
            {"hash", kernel.source_hash},
            {"cubin_bytes", kernel.cubin_bytes},
            {"spec", Json::parse(kernel.asked)},
            {"plan", Json::parse(kernel.plan)},
            {"options", kernel.options},
            {"slow_code", kernel.slow_code},
            {"entries", entries_json(kernel)},
            {"tuned", tuned_json(kernel)}};
}

void list(const Bundle& bundle, const Options& options) {
    const bool usable = bundle.generator() == generator_id();
    if (options.json) {
        Json kernels = Json::array();
        for (const BundleKernel& kernel : bundle.kernels()) kernels.push_back(kernel_json(kernel));
        print_json({{"file", options.file},
                    {"generator", bundle.generator()},
                    {"usable", usable},
                    {"nvrtc", bundle.nvrtc()},
                    {"kernels", std::move(kernels)}});
        return;
    }
    Table table({"config", "target", "bytes", "registers", "spill bytes", "hash"});
    for (const BundleKernel& kernel : bundle.kernels()) {
        int registers = 0, spills = 0;
        for (const CubinEntry& entry : kernel.entries) {
            registers = std::max(registers, entry.registers);
            spills = std::max(spills, entry.spill_store_bytes + entry.spill_load_bytes);
        }
        table.add({kernel.name, kernel.target, fmt::to_string(kernel.cubin_bytes),
                   fmt::to_string(registers), fmt::to_string(spills), kernel.source_hash});
    }
    print(printable(fmt::format("{}: {} by sagejit {}, compiled by NVRTC {}\n{}", options.file,
                                kernel_count(bundle.kernels().size()), bundle.generator(),
                                bundle.nvrtc(), table.text())));
    for (const BundleKernel& kernel : bundle.kernels()) {
        print(printable(tuned_text(kernel) + slow_text(kernel)));
    }
    if (!usable) {
        note(fmt::format("this sagejit is {}, and uses none of them", generator_id()));
    }
}

void verify(const Bundle& bundle, const Options& options) {
    bundle.verify();
    if (options.json) {
        print_json({{"file", options.file}, {"ok", true}, {"kernels", bundle.kernels().size()}});
    } else {
        print(printable(fmt::format("{}: {}, all good\n", options.file,
                                    kernel_count(bundle.kernels().size()))));
    }
}

int run_bundle(const Options& options) {
    const Bundle bundle = Bundle::open(options.file);
    if (options.action == "ls") {
        list(bundle, options);
    } else {
        verify(bundle, options);
    }
    return kOk;
}

}  // namespace

void add_bundle(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "bundle", "List or check the kernels of a bundle");
    verb.choice("ACTION", options->action, "", {"ls", "verify"},
                "ls lists what is in it; verify reads and checks all of it", Presence::kRequired);
    verb.text("FILE", options->file, "FILE", "Bundle that sagejit build wrote",
              Presence::kRequired);
    verb.hint("FILE", {{}, ".sjb"});
    verb.json(options->json);
    verb.footer(
        "Needs neither CUDA nor a GPU.\n\nExamples:\n"
        "  sagejit bundle ls tests/corpus/bundles/small.sjb\n"
        "  sagejit bundle verify tests/corpus/bundles/small.sjb");
    verb.action([options] { return run_bundle(*options); });
}

}  // namespace sagejit::cli
