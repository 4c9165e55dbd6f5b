// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/assembly.h"
#include "app/doctor.h"
#include "app/import.h"
#include "app/rotate_key.h"
#include "app/supervisor.h"
#include "app/version.h"
#include "config/config.h"

namespace knuckle::app {

namespace {

constexpr std::string_view kDefaultConfig = "/etc/knuckle/knuckle.toml";

constexpr const char* kHelp =
    "Knuckle, a push gateway: a knock becomes one push to the owner's devices.\n"
    "\n"
    "  knuckle serve [--config FILE]   run the gateway until SIGTERM\n"
    "  knuckle check [--config FILE]   say every mistake in the configuration and in the files it "
    "names\n"
    "  knuckle doctor [--config FILE] [--send DEVICE [--app NAME]]\n"
    "                                  look at all that serving needs, and say what is wrong and "
    "what\n"
    "                                  to do; with --send also push to the device with that token\n"
    "  knuckle rotate-key [--config FILE]\n"
    "                                  put a new key into store_key_file; the next start re-seals "
    "the\n"
    "                                  database with it in the background\n"
    "  knuckle import chatsecure FILE [--app NAME] [--config FILE]\n"
    "                                  bring the accounts, devices and tokens of a ChatSecure "
    "push\n"
    "                                  server here, from a plain pg_dump of its database; '-' is\n"
    "                                  standard input; --app if there are several apps\n"
    "  knuckle version                 print the version\n"
    "  knuckle help                    print this\n"
    "\n"
    "FILE is /etc/knuckle/knuckle.toml unless given. The shipped file explains every key.\n";

int wrong_usage(const std::string& what) {
    std::fprintf(stderr, "knuckle: %s; try 'knuckle help'\n", what.c_str());
    return 2;
}

int report(const std::string& path, const std::vector<config::Mistake>& mistakes) {
    for (const config::Mistake& mistake : mistakes) {
        std::fprintf(stderr, "knuckle: %s\n", config::describe(path, mistake).c_str());
    }
    return mistakes.empty() ? 0 : 1;
}

// The words behind a command, but for --config.
struct Invocation {
    std::string command;
    std::string config_path{kDefaultConfig};
    std::vector<std::string> words;
};

// Empty: --config without a file.
std::optional<Invocation> parse(int argc, char** argv) {
    constexpr std::string_view kOption = "--config";
    Invocation invocation;
    invocation.command = argv[1];
    for (int i = 2; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == kOption) {
            if (++i == argc) return std::nullopt;
            invocation.config_path = argv[i];
        } else if (word.starts_with(kOption) && word[kOption.size()] == '=') {
            invocation.config_path = word.substr(kOption.size() + 1);
        } else {
            invocation.words.emplace_back(word);
        }
    }
    return invocation;
}

int run_serve(const Invocation& invocation, const config::Config& config) {
    return serve(invocation.config_path, config);
}

int run_check(const Invocation& invocation, const config::Config& config) {
    Assembly assembly;
    const int status = report(invocation.config_path, assemble(config, assembly));
    if (status == 0) std::printf("%s: ok\n", invocation.config_path.c_str());
    return status;
}

int run_doctor(const Invocation& invocation, const config::Config& config) {
    DoctorOptions options;
    for (size_t i = 0; i < invocation.words.size(); i += 2) {
        const std::string& word = invocation.words[i];
        if (word != "--send" && word != "--app")
            return wrong_usage("'doctor' does not take '" + word + "'");
        if (i + 1 == invocation.words.size()) return wrong_usage(word + " needs a value");
        (word == "--send" ? options.device : options.app) = invocation.words[i + 1];
    }
    if (!options.app.empty() && options.device.empty())
        return wrong_usage("--app is of use with --send only");
    return run_doctor(config, invocation.config_path, options);
}

int run_rotate_key(const Invocation&, const config::Config& config) { return rotate_key(config); }

int run_import(const Invocation& invocation, const config::Config& config) {
    std::string app;
    std::vector<std::string> names;  // of the kind of server, and of the file
    for (size_t i = 0; i < invocation.words.size(); ++i) {
        const std::string& word = invocation.words[i];
        if (word != "--app") {
            names.push_back(word);
        } else if (++i == invocation.words.size()) {
            return wrong_usage("--app needs the name of an app");
        } else {
            app = invocation.words[i];
        }
    }
    if (names.size() != 2) return wrong_usage("'import' needs the kind of server and one file");
    if (names[0] != "chatsecure")
        return wrong_usage("'import' knows chatsecure, and no '" + names[0] + "'");
    return import_chatsecure(config, names[1], app);
}

bool is_cry_for_help(std::string_view word) { return word == "--help" || word == "-h"; }

struct Command {
    std::string_view name;
    size_t words_max;  // that it takes
    int (*run)(const Invocation& invocation, const config::Config& config);
};
constexpr Command kCommands[] = {
    {"serve", 0, run_serve},
    {"check", 0, run_check},
    {"doctor", 4, run_doctor},
    {"rotate-key", 0, run_rotate_key},
    {"import", 4, run_import},
};

}  // namespace

int run_command(int argc, char** argv) {
    if (argc < 2) {
        std::fputs(kHelp, stderr);
        return 2;
    }
    const std::string_view name = argv[1];
    if (name == "help" || is_cry_for_help(name)) {
        std::fputs(kHelp, stdout);
        return 0;
    }
    if (name == "version" || name == "--version") {
        std::printf("knuckle %.*s\n", static_cast<int>(version().size()), version().data());
        return 0;
    }
    const auto* const command =
        std::ranges::find_if(kCommands, [&](const Command& each) { return each.name == name; });
    if (command == std::end(kCommands))
        return wrong_usage("unknown command '" + std::string(name) + "'");
    const std::optional<Invocation> invocation = parse(argc, argv);
    if (!invocation) return wrong_usage("--config needs the name of a file");
    if (std::ranges::any_of(invocation->words, is_cry_for_help)) {
        std::fputs(kHelp, stdout);
        return 0;
    }
    if (invocation->words.size() > command->words_max) {
        return wrong_usage("'" + invocation->command + "' does not take '" +
                           invocation->words[command->words_max] + "'");
    }
    config::Config config;
    const std::string& path = invocation->config_path;
    if (const int status = report(path, config::load(path, config)); status != 0) return status;
    return command->run(*invocation, config);
}

}  // namespace knuckle::app
