// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "app/assembly.h"
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

int check(const std::string& path, const config::Config& config) {
    Assembly assembly;
    const int status = report(path, assemble(config, assembly));
    if (status == 0) std::printf("%s: ok\n", path.c_str());
    return status;
}

}  // namespace

int run_command(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty()) {
        std::fputs(kHelp, stderr);
        return 2;
    }
    const std::string& command = words.front();
    if (command == "help" || command == "--help" || command == "-h") {
        std::fputs(kHelp, stdout);
        return 0;
    }
    if (command == "version" || command == "--version") {
        std::printf("knuckle %.*s\n", static_cast<int>(version().size()), version().data());
        return 0;
    }
    if (command != "serve" && command != "check")
        return wrong_usage("unknown command '" + command + "'");

    std::string path(kDefaultConfig);
    if (words.size() == 3 && words[1] == "--config") {
        path = words[2];
    } else if (words.size() == 2 && words[1].starts_with("--config=")) {
        path = words[1].substr(std::string_view("--config=").size());
    } else if (words.size() != 1) {
        return wrong_usage("'" + command + "' takes only --config FILE");
    }
    config::Config config;
    if (const int status = report(path, config::load(path, config)); status != 0) return status;
    return command == "check" ? check(path, config) : serve(path, config);
}

}  // namespace knuckle::app
