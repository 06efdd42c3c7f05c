// sagejit plan: every decision about a kernel, for a person or as JSON.
#include "sagejit/generator/plan.h"

#include <memory>

#include "config_file.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string config, target;
    bool json = false;
};

int run_plan(const Options& options) {
    const Config config = read_config(options.config, options.target);
    const Plan plan = plan_config(config);
    if (options.json) {
        print_json({{"config", spec_json(config.spec)}, {"plan", Json::parse(plan_json(plan))}});
    } else {
        print(plan_text(plan));
    }
    return kOk;
}

}  // namespace

void add_plan(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "plan", "Print how a config's kernels are laid out");
    verb.config(options->config);
    verb.target(options->target, std::string(kDefaultTarget));
    verb.json(options->json);
    verb.footer("Example:\n  sagejit plan --config configs/thread-d64.json --target sm_89");
    verb.action([options] { return run_plan(*options); });
}

}  // namespace sagejit::cli
