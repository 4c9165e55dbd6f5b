// SPDX-License-Identifier: GPL-3.0-or-later
// The rules of the tree that neither the compiler nor clang-tidy knows: who may include whom, which
// names belong to which folder, that everything is built and tested, and a few of form.
//
// It reads the tree under KNUCKLE_SOURCE_DIR. The tables come first; change them together with
// docs/ARCHITECTURE.md (the module table also with the Makefile). A rule may be broken where a
// comment on the same line or the one before says why:  "tidy: allow", the rule, a colon, the
// reason. An allowance that allows nothing is itself a fault, so none outlives its cause.

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

namespace {

namespace fs = std::filesystem;

// Several names in one string, a blank between them.
using Names = std::string_view;

constexpr size_t kColumnsMax = 100;
const std::string kSpdx = "// SPDX-License-Identifier: GPL-3.0-or-later";

// A module may include its own folder and what its row names: folders, or single headers.
// A row names only rows above it, so there is no cycle.
struct Module {
    std::string_view name;
    Names may_include;
};

const std::vector<Module> kModules = {
    {"base", ""},
    {"metrics", "base"},
    {"crypto", "base"},
    {"http1", "base"},
    {"http2", "base"},
    {"tls", "base"},
    {"io", "base"},
    {"config", "base"},
    {"store", "base metrics crypto"},
    {"push", "base metrics crypto http2/message.h"},
    {"api", "base http1 push/types.h store/records.h"},
    {"engine", "base metrics crypto http1 http2 tls io store push api"},
    {"net", "base io"},
    {"migrate", "base metrics crypto store api"},
    {"app", "base metrics crypto http1 http2 tls io config store push api engine net migrate"},
};

// Headers of others, by the beginning of their name, and the modules that may see them. The first
// row that fits counts. What the core must not ask of the operating system is listed too.
struct Library {
    std::string_view prefix;
    Names modules;
};

const std::vector<Library> kLibraries = {
    {"mimalloc.h", "base"},
    {"wolfssl/wolfcrypt/", "crypto tls"},
    {"wolfssl/", "tls"},
    {"argon2.h", "crypto"},
    {"llhttp.h", "http1"},
    {"nghttp2/", "http2"},
    {"lmdb.h", "store"},
    {"simdjson.h", "push api"},
    {"toml++/", "config"},
    {"uv.h", "net app"},
    {"sys/socket.h", "net app"},
    {"sys/un.h", "net app"},
    {"netdb.h", "net app"},
    {"poll.h", "net app"},
    {"signal.h", "net app"},
    {"pthread.h", "app store"},
    {"malloc.h", "base"},
};

// Headers of the operating system that any module may include, by the beginning of their name.
constexpr Names kSystemHeaders =
    "arpa/ dirent.h errno.h fcntl.h getopt.h grp.h limits.h linux/ netinet/ pwd.h sched.h stdlib.h "
    "string.h sys/ time.h unistd.h";

// Names that have no place in src/ but those given; a place is the beginning of a path.
enum class Match { word, call, in_std };
struct Ban {
    std::string_view rule;
    Match match;
    Names names;
    Names places;
    std::string_view instead;
};

constexpr Names kLocks =
    "mutex shared_mutex recursive_mutex lock_guard unique_lock scoped_lock condition_variable "
    "counting_semaphore binary_semaphore latch barrier once_flag call_once";

const std::vector<Ban> kBans = {
    {"shared_ptr",
     Match::word,
     "shared_ptr make_shared weak_ptr",
     "",
     "give it one owner; others hold an id (base/pool.h) and look it up"},
    {"function",
     Match::in_std,
     "function bind",
     "",
     "take a template parameter or a function pointer"},
    {"thread",
     Match::in_std,
     "thread jthread async future promise",
     "src/app/ src/store/commit_thread.",
     "threads start in app/ and store/commit_thread.cc only"},
    {"mutex",
     Match::in_std,
     kLocks,
     "src/app/ src/store/commit_thread. src/net/mailbox. src/net/wakeup.",
     "workers share nothing; send a message through net/mailbox.h"},
    {"atomic",
     Match::in_std,
     "atomic atomic_ref atomic_flag",
     "src/app/ src/store/commit_thread. src/store/device_changes. src/net/mailbox. src/metrics/",
     "workers share nothing; send a message through net/mailbox.h"},
    {"mdb_put",
     Match::call,
     "mdb_put mdb_del mdb_cursor_put mdb_cursor_del mdb_drop",
     "src/store/rows.",
     "write through store/rows.h, which notes the changes of devices"},
    {"new",
     Match::word,
     "new",
     "src/base/ src/net/",
     "use a Pool, a container or std::make_unique"},
    {"delete",
     Match::word,
     "delete",
     "src/base/ src/net/",
     "let a Pool, a container or std::unique_ptr own it"},
    {"malloc",
     Match::call,
     "malloc calloc realloc free strdup alloca aligned_alloc",
     "src/base/",
     "use a Pool, a container or std::make_unique"},
    {"rand",
     Match::word,
     "rand srand rand_r random_device mt19937 mt19937_64 getrandom",
     "src/crypto/random.",
     "take a knuckle::Random& for jitter, a crypto::SecureRandom& for secrets"},
    {"clock",
     Match::word,
     "system_clock steady_clock high_resolution_clock gettimeofday clock_gettime uv_hrtime uv_now "
     "uv_clock_gettime",
     "src/net/ src/app/ src/store/commit_thread.",
     "the core reads no clock; take `now` as a parameter"},
    {"clock",
     Match::call,
     "time clock",
     "src/net/ src/app/",
     "the core reads no clock; take `now` as a parameter"},
    {"getenv",
     Match::call,
     "getenv secure_getenv setenv unsetenv putenv",
     "src/app/",
     "app/ reads the environment and fills an Options struct"},
    {"printf",
     Match::call,
     "printf fprintf sprintf snprintf vprintf vfprintf vsnprintf dprintf puts fputs putchar perror",
     "src/app/",
     "log with base/log.h, format with base/text.h"},
    {"printf", Match::in_std, "cout cerr clog", "src/app/", "log with base/log.h"},
    {"sleep",
     Match::word,
     "sleep usleep nanosleep clock_nanosleep sleep_for sleep_until",
     "",
     "arm a Timer (base/timers.h)"},
    {"exit",
     Match::in_std,
     "exit quick_exit abort terminate",
     "src/app/ src/base/assert.cc",
     "return an Error, or KNUCKLE_ASSERT what only our own bug can break"},
    {"virtual",
     Match::word,
     "virtual",
     "src/io/ src/engine/outbox.h",
     "the three interfaces of the seam are the only classes with virtual functions"},
};

// Words that say nothing about what a file or a type is for.
constexpr Names kEmptyFileWords = "util utils common misc helper helpers manager";
constexpr Names kEmptyTypeEndings = "Util Utils Common Misc Helper Helpers Manager Impl Data Info";

// Sources without a unit test of their name, by the beginning of their path, and why.
struct Exemption {
    std::string_view path;
    std::string_view why;
};

const std::vector<Exemption> kWithoutUnitTest = {
    {"src/net/", "is all system calls: covered by tests/integration, with real sockets"},
    {"src/app/", "is the process itself: covered by tests/integration, with the real binary"},
    {"src/engine/", "connects the others: covered by tests/integration"},
};

struct Fault {
    std::string file;
    size_t line;
    std::string rule;
    std::string advice;
};

std::string describe(const std::vector<Fault>& faults) {
    std::string text;
    for (const Fault& fault : faults) {
        text += fault.file + ":" + std::to_string(fault.line) + ": [" + fault.rule + "] " +
                fault.advice + "\n";
    }
    return text;
}

std::vector<std::string> split(Names text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

bool contains(Names names, std::string_view name) {
    for (size_t at = names.find(name); at != Names::npos; at = names.find(name, at + 1)) {
        const std::string_view rest = names.substr(at + name.size());
        if ((at == 0 || names[at - 1] == ' ') && (rest.empty() || rest[0] == ' ')) return true;
    }
    return false;
}

bool starts_with_any(std::string_view text, Names prefixes) {
    return std::ranges::any_of(split(prefixes, ' '), [text](const std::string& prefix) {
        return text.starts_with(prefix);
    });
}

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// A file three times over, line by line: as it is; its code, with comments and the contents of
// literals blanked; its comments, with everything else blanked.
struct Source {
    Source(std::string_view path, std::string_view text);

    std::string path;
    std::vector<std::string> lines, code, comments;

    // "push" for src/push/lane.cc; empty outside src/.
    [[nodiscard]] std::string module_name() const {
        if (!path.starts_with("src/")) return {};
        const size_t end = path.find('/', 4);
        return end == std::string::npos ? std::string() : path.substr(4, end - 4);
    }
};

// The end of the literal that begins with the quote at `begin`: one past its closing quote.
size_t literal_end(std::string_view text, size_t begin) {
    const char quote = text[begin];
    if (quote == '"' && begin > 0 && text[begin - 1] == 'R' &&
        (begin < 2 || !is_name_char(text[begin - 2]))) {
        const size_t open = text.find('(', begin);
        if (open == std::string_view::npos) return text.size();
        const std::string delimiter(text.substr(begin + 1, open - begin - 1));
        const std::string close = ")" + delimiter + "\"";
        const size_t end = text.find(close, open);
        return end == std::string_view::npos ? text.size() : end + close.size();
    }
    size_t at = begin + 1;
    while (at < text.size() && text[at] != quote && text[at] != '\n') {
        at += text[at] == '\\' ? 2 : 1;
    }
    return std::min(at + 1, text.size());
}

Source::Source(std::string_view file, std::string_view text) : path(file) {
    std::string code_text(text), comment_text(text);
    const auto blank = [](std::string& in, size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
            if (in[i] != '\n') in[i] = ' ';
        }
    };
    bool is_in_number = false;
    size_t at = 0;
    while (at < text.size()) {
        const bool is_in_name = at > 0 && is_name_char(text[at - 1]);
        if (!is_in_name) is_in_number = std::isdigit(static_cast<unsigned char>(text[at])) != 0;
        const std::string_view rest = text.substr(at);
        if (rest.starts_with("//") || rest.starts_with("/*")) {
            const std::string_view close = rest[1] == '/' ? "\n" : "*/";
            const size_t found = text.find(close, at + 2);
            const size_t end = std::min(found, text.size());
            const size_t comment_end = close == "*/" ? std::min(end + 2, text.size()) : end;
            blank(code_text, at, comment_end);
            at = comment_end;
            continue;
        }
        // The quote in 1'000 separates digits.
        const bool is_literal =
            text[at] == '"' || (text[at] == '\'' && !(is_in_name && is_in_number));
        const size_t end = is_literal ? literal_end(text, at) : at + 1;
        blank(comment_text, at, end);
        if (is_literal && end - at > 2) blank(code_text, at + 1, end - 1);
        at = end;
    }
    lines = split(text, '\n');
    code = split(code_text, '\n');
    comments = split(comment_text, '\n');
    code.resize(lines.size());
    comments.resize(lines.size());
}

// Takes the faults of one file and drops those that a comment allows. Lines count from 0 here.
class Report {
public:
    explicit Report(const Source& source) : path_(source.path) {
        constexpr std::string_view kMark = "// tidy: allow ";
        for (size_t i = 0; i < source.comments.size(); ++i) {
            const size_t begin = source.comments[i].find(kMark);
            if (begin == std::string::npos) continue;
            const std::string text = source.comments[i].substr(begin + kMark.size());
            const size_t colon = text.find(": ");
            if (colon != std::string::npos &&
                text.find_first_not_of(' ', colon + 2) < text.size()) {
                allowances_.push_back({i, text.substr(0, colon)});
            } else {
                add(i, "allow", "name the rule and, after a colon, the reason");
            }
        }
    }

    void add(size_t i, std::string_view rule, const std::string& advice) {
        bool is_allowed = false;
        for (Allowance& allowance : allowances_) {
            if (allowance.rule != rule || (allowance.line != i && allowance.line + 1 != i))
                continue;
            is_allowed = allowance.is_used = true;
        }
        if (!is_allowed) faults_.push_back({path_, i + 1, std::string(rule), advice});
    }

    // All faults in the order of lines, with those of the allowances themselves.
    std::vector<Fault> finish() {
        for (const Allowance& allowance : std::exchange(allowances_, {})) {
            if (allowance.is_used) continue;
            add(allowance.line,
                "allow",
                "nothing here breaks `" + allowance.rule + "`; remove this");
        }
        std::ranges::stable_sort(faults_, {}, &Fault::line);
        return std::move(faults_);
    }

private:
    struct Allowance {
        size_t line;
        std::string rule;
        bool is_used = false;
    };

    std::string path_;
    std::vector<Allowance> allowances_;
    std::vector<Fault> faults_;
};

size_t columns(std::string_view line) {
    return static_cast<size_t>(std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

bool has_issue_number(const std::string& comment, size_t from) {
    const size_t hash = comment.find('#', from);
    return hash != std::string::npos && comment.find_first_of("123456789", hash) == hash + 1;
}

void check_form(const Source& source, Report& report) {
    if (source.lines.empty() || source.lines[0] != kSpdx) {
        report.add(0, "spdx", "the first line must be: " + kSpdx);
    }
    if (source.path.ends_with(".h") && std::ranges::count(source.code, "#pragma once") != 1) {
        report.add(0, "pragma-once", "put `#pragma once` below the opening comment");
    }
    for (size_t i = 0; i < source.lines.size(); ++i) {
        const size_t width = columns(source.lines[i]);
        if (width > kColumnsMax) {
            report.add(i, "line-length", std::to_string(width) + " columns; break it at 100");
        }
        for (const char* const mark : {"TODO", "FIXME", "XXX"}) {
            const size_t at = source.comments[i].find(mark);
            if (at == std::string::npos || has_issue_number(source.comments[i], at)) continue;
            report.add(i, "todo", "do it now, or open an issue and write its number, as in #12");
        }
    }
}

// The target of an #include as it is written, with its quotes or angle brackets; empty if the line
// has none.
std::string include_target(const Source& source, size_t i) {
    if (!source.code[i].starts_with("#include")) return {};
    const std::string& line = source.lines[i];
    const size_t begin = line.find_first_of("\"<");
    if (begin == std::string::npos) return {};
    const size_t end = line.find(line[begin] == '<' ? '>' : '"', begin + 1);
    return end == std::string::npos ? std::string() : line.substr(begin, end - begin + 1);
}

void check_our_header(const Source& source, size_t i, const std::string& target, Report& report) {
    const std::string from = source.module_name();
    const std::string to = target.substr(0, target.find('/'));
    if (to == target || to.starts_with('.')) {
        report.add(i, "includes", "name it by its path from src/, as in \"base/result.h\"");
        return;
    }
    const auto row = std::ranges::find(kModules, from, &Module::name);
    if (to == from || row == kModules.end()) return;  // check_tree() complains of unknown modules
    if (contains(row->may_include, to) || contains(row->may_include, target)) return;
    report.add(i,
               "includes",
               from + "/ may not include \"" + target +
                   "\", only itself and: " + std::string(row->may_include) +
                   ". Pass the value in from above, or move it to where both may see it");
}

void check_foreign_header(const Source& source,
                          size_t i,
                          const std::string& target,
                          Report& report) {
    if (target.find_first_of("./") == std::string::npos) return;  // the standard library
    const auto row = std::ranges::find_if(
        kLibraries, [&](const Library& library) { return target.starts_with(library.prefix); });
    if (row != kLibraries.end() && !contains(row->modules, source.module_name())) {
        report.add(i,
                   "third-party",
                   "<" + target + "> may be included only by: " + std::string(row->modules) +
                       ". Hide it behind a type of ours in that folder");
    }
    if (row == kLibraries.end() && !starts_with_any(target, kSystemHeaders)) {
        report.add(i,
                   "third-party",
                   "<" + target + "> is unknown; add it to kLibraries in tests/tidy_test.cc, " +
                       "with the folders that may include it");
    }
}

void check_includes(const Source& source, const std::set<std::string>& tree, Report& report) {
    const std::string own = source.path.substr(0, source.path.size() - 2) + "h";
    bool is_first = true;
    for (size_t i = 0; i < source.lines.size(); ++i) {
        const std::string quoted = include_target(source, i);
        if (quoted.empty()) continue;
        const std::string target = quoted.substr(1, quoted.size() - 2);
        if (quoted.front() == '"') {
            check_our_header(source, i, target, report);
        } else {
            check_foreign_header(source, i, target, report);
        }
        if (is_first && tree.contains(own) && own != source.path && own != "src/" + target) {
            report.add(i, "own-header", "include \"" + own.substr(4) + "\" first");
        }
        is_first = false;
    }
}

// Whether a name that ends before `after` of the line is called there, as a function of the C
// library or of std:: and not as a member, nor declared as one of ours.
bool is_called(std::string_view before, std::string_view after) {
    if (!after.starts_with("(")) return false;
    if (before.ends_with("std::")) return true;
    if (before.ends_with('.') || before.ends_with("->")) return false;
    if (before.ends_with("::")) return before.size() == 2 || !is_name_char(before.end()[-3]);
    // UnixTime time(…), Writer& time(…), but: return time(…).
    if (before.ends_with("return")) return true;
    const bool is_reference = before.ends_with('&') || before.ends_with('*');
    const std::string_view type = before.substr(0, before.size() - (is_reference ? 1 : 0));
    return type.empty() || (!is_name_char(type.back()) && type.back() != '>');
}

// Whether the name at `begin` of the line is what a ban of this kind means.
bool is_meant(std::string_view line, size_t begin, size_t end, Match match) {
    std::string_view before = line.substr(0, begin);
    std::string_view after = line.substr(end);
    while (before.ends_with(' ')) before.remove_suffix(1);
    while (after.starts_with(' ')) after.remove_prefix(1);
    switch (match) {
        case Match::word:  // `= delete` is a declaration
            return line.substr(begin, end - begin) != "delete" || !before.ends_with('=');
        case Match::in_std:
            return before.ends_with("std::");
        case Match::call:
            return is_called(before, after);
    }
    return false;
}

void check_names(const Source& source, Report& report) {
    for (size_t i = 0; i < source.code.size(); ++i) {
        const std::string& line = source.code[i];
        if (line.starts_with('#')) continue;
        for (size_t begin = 0, end = 0; begin < line.size(); begin = end + 1) {
            end = begin;
            while (end < line.size() && is_name_char(line[end])) ++end;
            const std::string name = line.substr(begin, end - begin);
            for (const Ban& ban : kBans) {
                if (!contains(ban.names, name) || !is_meant(line, begin, end, ban.match)) continue;
                if (starts_with_any(source.path, ban.places)) continue;
                report.add(i, ban.rule, "no `" + name + "` here: " + std::string(ban.instead));
            }
        }
    }
}

void check_empty_words(const Source& source, Report& report) {
    for (const std::string& word : split(fs::path(source.path).stem().string(), '_')) {
        if (!contains(kEmptyFileWords, word)) continue;
        report.add(0, "empty-word", "`" + word + "` says nothing; name the file by what is in it");
    }
    for (size_t i = 0; i < source.code.size(); ++i) {
        std::istringstream tokens(source.code[i]);
        std::string previous;
        for (std::string token; tokens >> token; previous = token) {
            if (!contains("struct class union", previous)) continue;
            const std::string name(token.begin(), std::ranges::find_if_not(token, is_name_char));
            for (const std::string& ending : split(kEmptyTypeEndings, ' ')) {
                if (!name.ends_with(ending)) continue;
                report.add(i, "empty-word", "`" + ending + "` says nothing; name what it is");
            }
        }
    }
}

// `tree` is every path there is, for the rules that look beside the file.
std::vector<Fault> check_file(const Source& source, const std::set<std::string>& tree = {}) {
    Report report(source);
    check_form(source, report);
    check_empty_words(source, report);
    if (source.path.starts_with("src/")) {
        check_includes(source, tree, report);
        check_names(source, report);
    }
    return report.finish();
}

bool is_module(std::string_view name) {
    return std::ranges::find(kModules, name, &Module::name) != kModules.end();
}

// `*` in the pattern stands for any text without a slash.
bool fits_pattern(std::string_view path, std::string_view pattern) {
    if (pattern.empty()) return path.empty();
    if (pattern[0] != '*') {
        return !path.empty() && path[0] == pattern[0] &&
               fits_pattern(path.substr(1), pattern.substr(1));
    }
    for (size_t size = 0;; ++size) {
        if (fits_pattern(path.substr(size), pattern.substr(1))) return true;
        if (size == path.size() || path[size] == '/') return false;
    }
}

// The words behind "NAME :=" in a Makefile; one element "(none)" if there is no such line.
std::vector<std::string> makefile_words(std::string_view makefile, std::string_view name) {
    for (const std::string& line : split(makefile, '\n')) {
        std::istringstream words(line);
        std::string first, assign;
        words >> first >> assign;
        if (first != name || assign != ":=") continue;
        return {std::istream_iterator<std::string>(words), {}};
    }
    return {"(none)"};
}

// Where a Makefile finds sources to compile: the .cc files of its wildcards, with $(m) replaced by
// each module. What is only formatted does not count.
std::vector<std::string> makefile_patterns(std::string_view makefile) {
    constexpr std::string_view kCall = "$(wildcard ";
    std::vector<std::string> patterns;
    for (std::string line : split(makefile, '\n')) {
        line = line.substr(0, line.find('#'));
        if (line.starts_with("FORMATTED")) continue;
        for (size_t at = line.find(kCall); at != std::string::npos; at = line.find(kCall, at + 1)) {
            std::string words = line.substr(at + kCall.size());
            for (size_t m; (m = words.find("$(m)")) != std::string::npos;) words.replace(m, 4, "%");
            for (const std::string& word : split(words.substr(0, words.find(')')), ' ')) {
                const size_t m = word.find('%');
                if (!word.ends_with(".cc")) continue;
                if (m == std::string::npos) {
                    patterns.push_back(word);
                    continue;
                }
                for (const Module& module : kModules) {
                    patterns.push_back(std::string(word).replace(m, 1, module.name));
                }
            }
        }
    }
    return patterns;
}

std::string unit_test_of(const std::string& source) {
    const fs::path path(source);
    return "tests/unit/" + path.parent_path().filename().string() + "_" + path.stem().string() +
           "_test.cc";
}

// `built` are the patterns of what the Makefile compiles.
std::vector<Fault> check_tree(const std::set<std::string>& tree,
                              const std::vector<std::string>& built,
                              const std::vector<Exemption>& exemptions) {
    std::vector<Fault> faults;
    std::set<std::string> untested;
    for (const std::string& path : tree) {
        if (path.starts_with("src/") && !is_module(Source(path, "").module_name())) {
            faults.push_back({path,
                              1,
                              "module",
                              "sources are src/<module>/<file>; a new module needs a row in "
                              "docs/ARCHITECTURE.md, Makefile and tests/tidy_test.cc"});
            continue;
        }
        if (!path.ends_with(".cc")) continue;
        if (std::ranges::none_of(built, [&](const auto& p) { return fits_pattern(path, p); })) {
            faults.push_back(
                {path, 1, "unbuilt", "no wildcard of the Makefile finds it; move or rename it"});
            continue;
        }
        if (path.starts_with("src/") && !tree.contains(unit_test_of(path))) untested.insert(path);
    }
    for (const std::string& path : untested) {
        const auto covers = [&](const Exemption& exemption) {
            return path.starts_with(exemption.path);
        };
        if (std::ranges::any_of(exemptions, covers)) continue;
        faults.push_back({path,
                          1,
                          "untested",
                          "write " + unit_test_of(path) +
                              ", or give the reason in kWithoutUnitTest of tests/tidy_test.cc"});
    }
    for (const Exemption& exemption : exemptions) {
        const std::string path(exemption.path);
        if (path.ends_with('/') || untested.contains(path)) continue;
        faults.push_back({"tests/tidy_test.cc",
                          1,
                          "untested",
                          path + " has a test or is gone; remove its exemption"});
    }
    return faults;
}

std::string without(std::string text, std::string_view part, std::string_view instead = "") {
    for (size_t at; (at = text.find(part)) != std::string::npos;) {
        text.replace(at, part.size(), instead);
    }
    return text;
}

// The module table of docs/ARCHITECTURE.md: from each row with a cell `name/` that name, and what
// the second cell after it says the module may include, in the words of kModules.
std::map<std::string, std::string> documented_modules(std::string_view markdown) {
    std::map<std::string, std::string> modules;
    for (const std::string& line : split(markdown, '\n')) {
        std::vector<std::string> cells = split(line, '|');
        for (std::string& cell : cells) {
            cell = cell.substr(std::min(cell.find_first_not_of(' '), cell.size()));
            cell = cell.substr(0, cell.find_last_not_of(' ') + 1);
        }
        const auto folder = std::ranges::find_if(cells, [](const std::string& cell) {
            return cell.size() > 3 && cell.starts_with('`') && cell.ends_with("/`");
        });
        if (!line.starts_with('|') || cells.end() - folder < 3) continue;
        // base, http2 (`message.h`)  is  base http2/message.h;  a dash is nothing.
        std::string includes = without(without(without(folder[2], "`"), ")"), ",");
        includes = without(without(includes, " (", "/"), "\xe2\x80\x94");
        modules[folder->substr(1, folder->size() - 3)] = includes;
    }
    return modules;
}

std::set<std::string> module_names() {
    std::set<std::string> names;
    for (const Module& module : kModules) names.emplace(module.name);
    return names;
}

const fs::path kRoot = KNUCKLE_SOURCE_DIR;

std::string read(const fs::path& path) {
    std::ifstream file(kRoot / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> read_tree() {
    std::set<std::string> tree;
    for (const char* const folder : {"src", "tests", "bench"}) {
        if (!fs::exists(kRoot / folder)) continue;
        for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
            const std::string extension = entry.path().extension().string();
            if (entry.is_regular_file() && (extension == ".cc" || extension == ".h")) {
                tree.insert(entry.path().lexically_relative(kRoot).generic_string());
            }
        }
    }
    return tree;
}

// Prints the faults, one a line, as compilers do, and fails if there are any.
void show(const std::vector<Fault>& faults) {
    std::cout << describe(faults);
    CHECK(faults.empty());
}

// "4:printf 7:new", the faults of a snippet that stands for a file of that path.
std::string rules_broken(std::string_view path, std::string_view body) {
    std::string text(kSpdx);
    text += path.ends_with(".h") ? "\n#pragma once\n" : "\n\n";
    text += body;
    std::string broken;
    for (const Fault& fault : check_file(Source(path, text))) {
        broken += (broken.empty() ? "" : " ") + std::to_string(fault.line) + ":" + fault.rule;
    }
    return broken;
}

// The same for one line of code, which is line 3; without its number.
std::string rule_broken(std::string_view path, std::string_view code) {
    const std::string broken = rules_broken(path, code);
    return broken.starts_with("3:") ? broken.substr(2) : broken;
}

}  // namespace

TEST_CASE("every file of the tree keeps the rules", "[tree]") {
    const std::set<std::string> tree = read_tree();
    REQUIRE(tree.contains("tests/tidy_test.cc"));
    std::vector<Fault> faults;
    for (const std::string& path : tree) {
        for (Fault& fault : check_file(Source(path, read(path)), tree)) {
            faults.push_back(std::move(fault));
        }
    }
    show(faults);
}

TEST_CASE("every source of the tree is built and tested", "[tree]") {
    show(check_tree(read_tree(), makefile_patterns(read("Makefile")), kWithoutUnitTest));
}

TEST_CASE("the folders of src/ are the modules", "[tree]") {
    std::set<std::string> folders;
    for (const auto& entry : fs::directory_iterator(kRoot / "src")) {
        folders.insert(entry.path().filename().string());
    }
    CHECK(folders == module_names());
}

TEST_CASE("the Makefile has the same module table", "[tree]") {
    const std::string makefile = read("Makefile");
    std::vector<std::string> order;
    for (const Module& module : kModules) order.emplace_back(module.name);
    CHECK(makefile_words(makefile, "MODULES") == order);
    for (const Module& module : kModules) {
        const auto uses = makefile_words(makefile, "USES_" + std::string(module.name));
        if (!uses.empty() && uses[0].starts_with("$")) continue;  // app: all others
        INFO("USES_" << module.name);
        for (const std::string& entry : split(module.may_include, ' ')) {
            // A module of which only values are included need not be linked.
            if (entry.find('/') == std::string::npos) CHECK(std::ranges::count(uses, entry) == 1);
        }
        for (const std::string& name : uses) {
            CHECK((" " + std::string(module.may_include)).find(" " + name) != std::string::npos);
        }
    }
}

TEST_CASE("docs/ARCHITECTURE.md has the same module table", "[tree]") {
    const std::string text = read("docs/ARCHITECTURE.md");
    if (text.empty()) FAIL("docs/ARCHITECTURE.md is missing: write it, with the table of modules");
    const auto documented = documented_modules(text);
    CHECK(documented.size() == kModules.size());
    for (const Module& module : kModules) {
        const auto row = documented.find(std::string(module.name));
        INFO("the row of " << module.name << "/");
        REQUIRE(row != documented.end());
        // The last two rows say it in words.
        if (module.name == "engine" || module.name == "app") continue;
        CHECK(row->second == module.may_include);
    }
}

TEST_CASE("a module includes only modules above it", "[tree]") {
    std::set<std::string_view> above;
    for (const Module& module : kModules) {
        for (const std::string& entry : split(module.may_include, ' ')) {
            INFO(module.name << " includes " << entry);
            CHECK(above.contains(std::string_view(entry).substr(0, entry.find('/'))));
        }
        above.insert(module.name);
    }
}

TEST_CASE("an include that the table does not allow is found", "[checker]") {
    CHECK(rule_broken("src/push/lane.cc", "#include \"base/result.h\"").empty());
    CHECK(rule_broken("src/push/lane.cc", "#include \"push/types.h\"").empty());
    CHECK(rule_broken("src/push/lane.cc", "#include \"http2/message.h\"").empty());
    CHECK(rule_broken("src/push/lane.cc", "#include \"http2/session.h\"") == "includes");
    CHECK(rule_broken("src/push/lane.cc", "#include \"store/records.h\"") == "includes");
    CHECK(rule_broken("src/base/text.h", "#include \"metrics/counters.h\"") == "includes");
    CHECK(rule_broken("src/api/rest.cc", "#include \"push/types.h\"").empty());
    CHECK(rule_broken("src/api/rest.cc", "#include \"push/dispatcher.h\"") == "includes");
    CHECK(rule_broken("src/engine/worker.cc", "#include \"store/snapshot.h\"").empty());
    CHECK(rule_broken("src/engine/worker.cc", "#include \"config/config.h\"") == "includes");
    CHECK(rule_broken("src/engine/worker.cc", "#include \"net/loop.h\"") == "includes");
    CHECK(rule_broken("src/app/main.cc", "#include \"net/loop.h\"").empty());
    CHECK(rule_broken("src/base/text.cc", "#include \"text.h\"") == "includes");
    CHECK(rule_broken("src/base/text.cc", "#include \"../base/text.h\"") == "includes");
    CHECK(rule_broken("tests/unit/push_lane_test.cc", "#include \"tests/mock/x.h\"").empty());
}

TEST_CASE("a third-party header outside its folder is found", "[checker]") {
    CHECK(rule_broken("src/crypto/jwt.cc", "#include <wolfssl/wolfcrypt/ecc.h>").empty());
    CHECK(rule_broken("src/crypto/jwt.cc", "#include <wolfssl/ssl.h>") == "third-party");
    CHECK(rule_broken("src/tls/engine.cc", "#include <wolfssl/ssl.h>").empty());
    CHECK(rule_broken("src/engine/worker.cc", "#include <uv.h>") == "third-party");
    CHECK(rule_broken("src/net/loop.h", "#include <uv.h>").empty());
    CHECK(rule_broken("src/store/env.cc", "#include <lmdb.h>").empty());
    CHECK(rule_broken("src/engine/knock.cc", "#include <lmdb.h>") == "third-party");
    CHECK(rule_broken("src/push/apns.cc", "#include <simdjson.h>").empty());
    CHECK(rule_broken("src/http1/parser.cc", "#include <nghttp2/nghttp2.h>") == "third-party");
    CHECK(rule_broken("src/push/lane.cc", "#include <sys/socket.h>") == "third-party");
    CHECK(rule_broken("src/push/lane.cc", "#include <boost/asio.hpp>") == "third-party");
    CHECK(rule_broken("src/push/lane.cc", "#include <vector>").empty());
    CHECK(rule_broken("src/base/log.cc", "#include <unistd.h>").empty());
}

TEST_CASE("a source that does not begin with its own header is found", "[checker]") {
    const std::set<std::string> tree = {"src/base/text.h", "src/base/text.cc"};
    const auto broken = [&](std::string_view path, const std::string& body) {
        return check_file(Source(path, kSpdx + "\n" + body), tree);
    };
    CHECK(broken("src/base/text.cc", "#include \"base/text.h\"\n#include <vector>\n").empty());
    const auto faults = broken("src/base/text.cc", "#include <vector>\n#include \"base/text.h\"\n");
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].rule == "own-header");
    CHECK(faults[0].line == 2);
    CHECK(broken("src/base/other.cc", "#include <vector>\n").empty());
}

TEST_CASE("a banned name is found, but not what only looks like it", "[checker]") {
    constexpr std::string_view kLane = "src/push/lane.cc";
    for (const auto& [code, rule] : std::map<std::string_view, std::string_view>{
             {"std::shared_ptr<Job> job;", "shared_ptr"},
             {"auto job = std::make_shared<Job>();", "shared_ptr"},
             {"std::function<void()> call;", "function"},
             {"std::thread worker;", "thread"},
             {"std::mutex lock;", "mutex"},
             {"std::atomic<int> count;", "atomic"},
             {"Job* job = new Job;", "new"},
             {"auto* job = new (place) Job;", "new"},
             {"delete job;", "delete"},
             {"delete[] jobs;", "delete"},
             {"void* p = malloc(4);", "malloc"},
             {"std::free(p);", "malloc"},
             {"int n = rand();", "rand"},
             {"std::random_device seed;", "rand"},
             {"auto t = std::chrono::system_clock::now();", "clock"},
             {"auto t = steady_clock::now();", "clock"},
             {"time_t t = time(nullptr);", "clock"},
             {"time_t t = ::time(nullptr);", "clock"},
             {"time_t t = std::time (nullptr);", "clock"},
             {"const char* home = getenv(\"HOME\");", "getenv"},
             {"std::printf(\"%d\", 1);", "printf"},
             {"snprintf(text, 3, \"%d\", 1);", "printf"},
             {"std::cerr << 1;", "printf"},
             {"sleep(1);", "sleep"},
             {"std::this_thread::sleep_for(x);", "sleep"},
             {"std::abort();", "exit"},
             {"virtual void f() = 0;", "virtual"},
         }) {
        INFO(code);
        CHECK(rule_broken(kLane, code) == rule);
        CHECK(rule_broken("tests/unit/push_lane_test.cc", code).empty());
    }
    for (const std::string_view code : {
             "Lane(const Lane&) = delete;",
             "Lane(const Lane&) =  delete;",
             "// a new job: malloc(), time() and printf() are only mentioned",
             "/* std::thread */ int x;",
             "const char* s = \"new delete std::mutex time(\";",
             "const char* s = \"a \\\" new\";",
             "auto s = R\"(a \" new)\";",
             "auto s = R\"x(a )\" new)x\";",
             "char c = '\"'; int newer = 1;",
             "int n = 1'000'000; char q = '\\'';",
             "job.time(3); job->printf(); log::time(x);",
             "int time = 3; int function = 4; int thread = time;",
             "knuckle::log::error(x); a.free(b);",
             "int renew = 0; int new_ = 1; timer.deleted();",
             "my::function<int> f;",
         }) {
        INFO(code);
        CHECK(rule_broken(kLane, code).empty());
    }
    CHECK(rules_broken(kLane, "/* two\nlines */ new\nR\"(\nnew\n)\" new\n\"x\" new") ==
          "4:new 7:new 8:new");
}

TEST_CASE("a banned name is allowed in its folders", "[checker]") {
    CHECK(rule_broken("src/base/buffer.cc", "Chunk* chunk = new Chunk;").empty());
    CHECK(rule_broken("src/net/conn.cc", "delete conn;").empty());
    CHECK(rule_broken("src/app/supervisor.cc", "std::thread worker;").empty());
    CHECK(rule_broken("src/store/commit_thread.h", "std::mutex lock;").empty());
    CHECK(rule_broken("src/store/env.cc", "std::mutex lock;") == "mutex");
    CHECK(rule_broken("src/net/mailbox.h", "std::mutex lock;").empty());
    CHECK(rule_broken("src/net/conn.cc", "std::mutex lock;") == "mutex");
    CHECK(rule_broken("src/metrics/counters.h", "std::atomic<int> n;").empty());
    CHECK(rule_broken("src/metrics/counters.h", "std::mutex lock;") == "mutex");
    CHECK(rule_broken("src/store/device_changes.h", "std::atomic<int> n;").empty());
    CHECK(rule_broken("src/store/snapshot.h", "std::atomic<int> n;") == "atomic");
    CHECK(rule_broken("src/store/rows.cc", "mdb_put(t, d, &k, &v, 0);").empty());
    CHECK(rule_broken("src/store/sweep.cc", "mdb_del(t, d, &k, nullptr);") == "mdb_put");
    CHECK(rule_broken("src/io/io.h", "virtual void send() = 0;").empty());
    CHECK(rule_broken("src/crypto/random.cc", "::getrandom(p, n, 0);").empty());
    CHECK(rule_broken("src/crypto/jwt.cc", "::getrandom(p, n, 0);") == "rand");
    CHECK(rule_broken("src/app/cli.cc", "std::printf(\"x\");").empty());
    CHECK(rule_broken("src/net/loop.cc", "uv_hrtime();").empty());
}

TEST_CASE("a comment that says why allows a rule to be broken there", "[checker]") {
    constexpr std::string_view kLane = "src/push/lane.cc";
    CHECK(rules_broken(kLane, "new Job;  // tidy: allow new: the pool is full of them").empty());
    CHECK(rules_broken(kLane, "// tidy: allow new: the pool is full of them\nnew Job;").empty());
    CHECK(rules_broken(kLane, "// tidy: allow new: the pool is full of them\n\nnew Job;") ==
          "3:allow 5:new");
    CHECK(rules_broken(kLane, "new Job;  // tidy: allow new\n") == "3:allow 3:new");
    CHECK(rules_broken(kLane, "new Job;  // tidy: allow new: \n") == "3:allow 3:new");
    CHECK(rules_broken(kLane, "// tidy: allow printf: the wrong rule\nnew Job;") ==
          "3:allow 4:new");
    CHECK(rules_broken(kLane, "// tidy: allow new: nothing to allow\nint x;") == "3:allow");
    CHECK(rules_broken(kLane, "const char* s = \"// tidy: allow new: in a string\";").empty());
    CHECK(rules_broken(kLane, "// tidy: allow line-length: a table\n//" + std::string(120, 'x'))
              .empty());
}

TEST_CASE("faults of form are found", "[checker]") {
    const auto broken = [](std::string_view path, std::string_view text) {
        return describe(check_file(Source(path, text)));
    };
    using Catch::Matchers::StartsWith;
    CHECK_THAT(broken("src/base/x.cc", "int x;\n"), StartsWith("src/base/x.cc:1: [spdx] "));
    CHECK_THAT(broken("src/base/x.cc", ""), StartsWith("src/base/x.cc:1: [spdx] "));
    CHECK_THAT(broken("src/base/x.h", kSpdx + "\n// #pragma once\nint x;\n"),
               StartsWith("src/base/x.h:1: [pragma-once] "));
    CHECK_THAT(broken("tests/mock/x.cc", kSpdx + "\n//" + std::string(99, 'x') + "\n"),
               StartsWith("tests/mock/x.cc:2: [line-length] 101 columns"));
    CHECK(broken("src/base/x.cc", kSpdx + "\n//" + std::string(98, 'x') + "\n").empty());
    std::string wide = "//";
    for (int i = 0; i < 98; ++i) wide += "\xc3\xa4";
    CHECK(broken("src/base/x.cc", kSpdx + "\n" + wide).empty());

    CHECK(rule_broken("src/base/x.cc", "// TODO: later") == "todo");
    CHECK(rule_broken("tests/unit/base_x_test.cc", "int x;  // FIXME") == "todo");
    CHECK(rule_broken("src/base/x.cc", "// TODO #: later") == "todo");
    CHECK(rule_broken("src/base/x.cc", "// TODO(#12): when libuv 2 is out").empty());
    CHECK(rule_broken("src/base/x.cc", "const char* s = \"TODO\";").empty());
}

TEST_CASE("words that say nothing are found", "[checker]") {
    CHECK(rules_broken("src/base/string_util.cc", "") == "1:empty-word");
    CHECK(rules_broken("tests/support/helpers.h", "") == "1:empty-word");
    CHECK(rules_broken("src/base/utility.cc", "").empty());
    CHECK(rule_broken("src/base/x.cc", "class ConnectionManager {") == "empty-word");
    CHECK(rule_broken("src/base/x.cc", "struct PushData;") == "empty-word");
    CHECK(rule_broken("src/base/x.cc", "struct [[nodiscard]] Database {").empty());
    CHECK(rule_broken("src/base/x.cc", "struct Information {").empty());
}

TEST_CASE("a source that is not built or not tested is found", "[checker]") {
    const std::vector<std::string> built = makefile_patterns(
        "SRC := $(foreach m,$(MODULES),$(sort $(wildcard src/$(m)/*.cc)))\n"
        "UNIT := $(wildcard tests/unit/$(m)_*_test.cc)\n"
        "OTHERS := $(wildcard tests/tidy_test.cc) $(sort $(wildcard tests/mock/*_main.cc "
        "tests/mock/*.h))\n"
        "FORMATTED := $(wildcard bench/*.cc)\n"
        "X := $(wildcard y/*.cc)  # $(wildcard tests/sim/*.cc)\n");
    const auto broken = [&](const std::set<std::string>& tree,
                            const std::vector<Exemption>& exemptions) {
        std::string text;
        for (const Fault& fault : check_tree(tree, built, exemptions)) {
            text += (text.empty() ? "" : " ") + fault.file + ":" + fault.rule;
        }
        return text;
    };
    CHECK(broken({"src/base/text.cc", "tests/unit/base_text_test.cc"}, {}).empty());
    CHECK(broken({"src/base/text.cc", "src/base/list.h"}, {}) == "src/base/text.cc:untested");
    CHECK(broken({"src/base/text.cc"}, {{"src/base/text.cc", "because"}}).empty());
    CHECK(broken({"src/net/loop.cc"}, {{"src/net/", "because"}}).empty());
    CHECK(broken({"src/base/text.cc", "tests/unit/base_text_test.cc"},
                 {{"src/base/text.cc", "because"}}) == "tests/tidy_test.cc:untested");
    CHECK(broken({}, {{"src/base/text.cc", "because"}}) == "tests/tidy_test.cc:untested");
    CHECK(broken({"src/base/deep/text.cc"}, {}) == "src/base/deep/text.cc:unbuilt");
    CHECK(broken({"src/text.cc"}, {}) == "src/text.cc:module");
    CHECK(broken({"src/other/text.h"}, {}) == "src/other/text.h:module");
    CHECK(broken({"tests/unit/other_text_test.cc"}, {}) == "tests/unit/other_text_test.cc:unbuilt");
    CHECK(broken({"tests/unit/base_text.cc"}, {}) == "tests/unit/base_text.cc:unbuilt");
    CHECK(broken({"tests/mock/apns_main.cc", "tests/tidy_test.cc"}, {}).empty());
    for (const std::string path : {"tests/mock/apns.cc", "tests/sim/main.cc", "bench/load.cc"}) {
        CHECK(broken({path}, {}) == path + ":unbuilt");
    }
}

TEST_CASE("the tables of others are read", "[checker]") {
    constexpr std::string_view kMakefile = "MODULES := a b\nUSES_a    :=\nUSES_b    := a x\n";
    CHECK(makefile_words(kMakefile, "MODULES") == std::vector<std::string>{"a", "b"});
    CHECK(makefile_words(kMakefile, "USES_a").empty());
    CHECK(makefile_words(kMakefile, "USES_b") == std::vector<std::string>{"a", "x"});
    CHECK(makefile_words(kMakefile, "USES_c") == std::vector<std::string>{"(none)"});
    CHECK(documented_modules("# Modules\n| # | folder | what | may include |\n| - | - | - | - |\n"
                             "| 0 | `base/` | see `net/` | \xe2\x80\x94 | x |\n"
                             "|1|`push/`|x|base, http2 (`message.h`)|\n"
                             "the `app/` folder | x | y |\n") ==
          std::map<std::string, std::string>{{"base", ""}, {"push", "base http2/message.h"}});
}
