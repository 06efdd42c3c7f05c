// sagejit completion: a script for the shell's completion.
#include <memory>

#include "command_table.h"
#include "output.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

struct Options {
    std::string shell;
    bool json = false;
};

int run_completion(const CommandLine& line, const Options& options) {
    const CommandTable table = describe(line.app, line.hints);
    const std::string script = options.shell == "bash"  ? bash_completion(table)
                               : options.shell == "zsh" ? zsh_completion(table)
                                                        : fish_completion(table);
    if (options.json) {
        print_json({{"shell", options.shell}, {"script", script}});
    } else {
        print(script);
    }
    return kOk;
}

}  // namespace

void add_completion(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "completion", "Print a script that completes command lines in a shell");
    verb.choice("SHELL", options->shell, "", {"bash", "zsh", "fish"}, "bash, zsh or fish",
                Presence::kRequired);
    verb.json(options->json);
    verb.footer(
        "Load it in the shell's startup file: source <(sagejit completion bash), the same for "
        "zsh,\n"
        "or sagejit completion fish | source.\n\nExample:\n"
        "  sagejit completion bash > sagejit.bash");
    verb.action([options, &line] { return run_completion(line, *options); });
}

}  // namespace sagejit::cli
