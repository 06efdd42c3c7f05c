// Manual pages in man(7) macros, from the help's own words.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "command_table.h"
#include "sagejit/generator/source.h"

namespace sagejit::cli {
namespace {

// Text that roff must not read as a request or an escape.
std::string plain(std::string_view text) {
    std::string result;
    bool line_start = true;
    for (const char c : text) {
        if (line_start && (c == '.' || c == '\'')) result += "\\&";
        if (c == '\\') {
            result += "\\e";
        } else if (c == '-') {
            result += "\\-";
        } else {
            result += c;
        }
        line_start = c == '\n';
    }
    return result;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

std::string page_name(const VerbTable& verb) {
    return verb.name == "sagejit" ? verb.name : "sagejit-" + verb.name;
}

// What the page is about, without the name that stands before it.
std::string summary(const VerbTable& verb) {
    const std::string prefix = verb.name + ": ";
    return verb.description.rfind(prefix, 0) == 0 ? verb.description.substr(prefix.size())
                                                  : verb.description;
}

// The footer of a help: paragraphs, of which those that begin with "Example" hold commands.
struct Footer {
    std::vector<std::string> remarks, examples;
};

Footer split_footer(const std::string& footer) {
    Footer result;
    std::istringstream lines(footer);
    std::string paragraph, line;
    const auto finish = [&] {
        if (paragraph.empty()) return;
        const bool examples = paragraph.rfind("Example", 0) == 0;
        (examples ? result.examples : result.remarks)
            .push_back(examples ? paragraph.substr(paragraph.find('\n') + 1) : paragraph);
        paragraph.clear();
    };
    while (std::getline(lines, line)) {
        if (line.empty()) {
            finish();
        } else {
            paragraph += line + "\n";
        }
    }
    finish();
    return result;
}

std::string option_text(const OptionRow& option) {
    std::string names;
    const auto add = [&](std::string_view dashes, const std::string& name) {
        if (name.empty()) return;
        names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ",
                             plain(fmt::format("{}{}", dashes, name)));
    };
    add("-", option.short_name);
    add("--", option.long_name);
    if (!option.placeholder.empty()) {
        names += fmt::format("{}\\fI{}\\fR{}", names.empty() ? "" : " ", plain(option.placeholder),
                             option.repeats ? "..." : "");
    }
    return fmt::format(".TP\n{}\n{}{}\n", names, plain(option.description),
                       option.required ? " (required)" : "");
}

std::string synopsis(const VerbTable& verb) {
    if (verb.name == "sagejit") return ".B sagejit\n.I VERB\n[\\fIOPTIONS\\fR]\n";
    std::string text = fmt::format("\\fBsagejit {}\\fR", plain(verb.name));
    for (const OptionRow& option : verb.options) {
        if (!option.required || option.is_positional()) continue;
        text += fmt::format(" \\fB\\-\\-{}\\fR \\fI{}\\fR", plain(option.long_name),
                            plain(option.placeholder));
    }
    text += " [\\fIOPTIONS\\fR]";
    for (const OptionRow& option : verb.options) {
        if (!option.is_positional()) continue;
        text += fmt::format(" {}\\fI{}\\fR{}", option.required ? "" : "[",
                            plain(option.placeholder), option.required ? "" : "]");
    }
    return text + "\n";
}

constexpr std::string_view kEnvironment =
    R"(.SH ENVIRONMENT
.TP
.B SAGEJIT_CACHE_DIR
Directory of compiled kernels; otherwise \fI$XDG_CACHE_HOME/sagejit\fR, else \fI~/.cache/sagejit\fR.
.TP
.BR SAGEJIT_LIBCUDA ", " SAGEJIT_NVRTC ", " SAGEJIT_HOST_CXX
The driver library, the NVRTC library and the C++ compiler of the host device, where the usual
search should not decide.
)";

std::string page_text(const VerbTable& verb, const CommandTable& table) {
    const bool root = verb.name == "sagejit";
    std::string text =
        fmt::format(".\\\" Made by: sagejit man\n.TH {} 1 \"\" \"sagejit {}\" \"sagejit manual\"\n",
                    plain(upper(page_name(verb))), generator_version());
    text += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}", plain(page_name(verb)),
                        plain(summary(verb)), synopsis(verb));
    const Footer footer = split_footer(verb.footer);
    text += fmt::format(".SH DESCRIPTION\n{}.\n", plain(summary(verb)));
    std::string exit_status;
    for (const std::string& remark : footer.remarks) {
        constexpr std::string_view kExitCodes = "Exit codes: ";
        if (remark.rfind(kExitCodes, 0) == 0) {
            exit_status = ".SH EXIT STATUS\n" + plain(remark.substr(kExitCodes.size()));
        } else {
            text += ".PP\n" + plain(remark);
        }
    }
    if (root) {
        text += ".SH VERBS\n";
        for (const VerbTable& other : table.verbs) {
            text += fmt::format(".TP\n.BR {} (1)\n{}.\n", plain(page_name(other)),
                                plain(other.description));
        }
    }
    text += ".SH OPTIONS\n";
    for (const OptionRow& option : verb.options) text += option_text(option);
    text += exit_status;
    if (root) text += kEnvironment;
    if (!footer.examples.empty()) text += ".SH EXAMPLES\n";
    for (const std::string& example : footer.examples) {
        text += fmt::format(".nf\n{}.fi\n", plain(example));
    }
    if (!root) text += ".SH SEE ALSO\n.BR sagejit (1)\n";
    return text;
}

}  // namespace

std::vector<ManPage> man_pages(const CommandTable& table) {
    std::vector<ManPage> pages;
    const auto add = [&](const VerbTable& verb) {
        pages.push_back({page_name(verb) + ".1", page_text(verb, table)});
    };
    add(table.root);
    for (const VerbTable& verb : table.verbs) add(verb);
    return pages;
}

}  // namespace sagejit::cli
