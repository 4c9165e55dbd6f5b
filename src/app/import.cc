// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/import.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "app/clock.h"
#include "app/describe.h"
#include "app/open_store.h"
#include "crypto/random.h"
#include "migrate/import.h"
#include "store/committer.h"

namespace knuckle::app {

namespace {

constexpr size_t kPieceSize = 256 * 1024;

int give_up(const std::string& on, const std::string& why) {
    std::fprintf(stderr, "knuckle: %s: %s\n", on.c_str(), why.c_str());
    return 1;
}

// The file of the dump, or standard input.
class Input {
public:
    explicit Input(const std::string& path) : is_stdin_(path == "-") {
        descriptor_ = is_stdin_ ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status{};
        if (descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode))
            size_ = static_cast<uint64_t>(status.st_size);
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;
    ~Input() {
        if (!is_stdin_ && descriptor_ >= 0) ::close(descriptor_);
    }

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    // Of a regular file.
    [[nodiscard]] std::optional<uint64_t> size() const { return size_; }
    [[nodiscard]] uint64_t position() const { return position_; }

    // Empty at the end.
    Result<ByteView> read() {
        ssize_t size = 0;
        do {
            size = ::read(descriptor_, piece_.data(), piece_.size());
        } while (size < 0 && errno == EINTR);
        if (size < 0) return fail(Errc::system, "cannot be read", errno);
        position_ += static_cast<uint64_t>(size);
        return ByteView(piece_).first(static_cast<size_t>(size));
    }
    Result<void> rewind() {
        if (position_ == 0) return {};
        if (::lseek(descriptor_, 0, SEEK_SET) != 0) {
            return fail(Errc::invalid,
                        "has a table before those that it refers to, so it must be read twice; "
                        "put it into a file and import that");
        }
        position_ = 0;
        return {};
    }

private:
    bool is_stdin_;
    int descriptor_;
    std::optional<uint64_t> size_;
    uint64_t position_ = 0;
    std::array<uint8_t, kPieceSize> piece_;
};

// A line on stderr every second, on a terminal over the one before.
class Progress {
public:
    explicit Progress(const Input& input) : input_(input) {}
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress() {
        if (is_terminal_ && is_begun_) std::fputc('\n', stderr);
    }

    void show(const migrate::Import& import) {
        const UnixTime now = read_clock();
        if (now < next_) return;
        next_ = now + seconds(1);
        std::array<char, 8> part{};
        if (const auto size = input_.size(); size && *size > 0) {
            const uint64_t percent = std::min<uint64_t>(input_.position() * 100 / *size, 100);
            std::snprintf(part.data(), part.size(), "%3" PRIu64 "%% ", percent);
        }
        std::fprintf(stderr,
                     "%sknuckle: %s%" PRIu64 " rows%s",
                     is_terminal_ ? "\r" : "",
                     part.data(),
                     import.ledger().rows(),
                     is_terminal_ ? "" : "\n");
        is_begun_ = true;
    }

private:
    const Input& input_;
    bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool is_begun_ = false;
    UnixTime next_ = read_clock() + seconds(1);
};

Result<void> run(migrate::Import& import, Input& input) {
    Progress progress(input);
    bool has_more = true;
    while (has_more) {
        KNUCKLE_TRY(input.rewind());
        import.begin_pass();
        for (;;) {
            const ByteView piece = KNUCKLE_TRY(input.read());
            if (piece.empty()) break;
            KNUCKLE_TRY(import.feed(piece));
            progress.show(import);
        }
        has_more = KNUCKLE_TRY(import.end_pass());
    }
    return {};
}

void print_skipped(const migrate::Ledger& ledger, migrate::Source source, migrate::Fate fate) {
    const uint64_t count = ledger.count(source, fate);
    const std::string_view table = migrate::table_of(source);
    const std::string_view why = migrate::describe(fate);
    std::printf("  %-20.*s %10" PRIu64 "  %.*s; line",
                static_cast<int>(table.size()),
                table.data(),
                count,
                static_cast<int>(why.size()),
                why.data());
    for (const uint64_t line : ledger.lines(source, fate)) std::printf(" %" PRIu64, line);
    std::puts(count > migrate::kLinesNamedMax ? " ..." : "");
}

void print(const migrate::Import& import) {
    using migrate::Fate;
    const migrate::Ledger& ledger = import.ledger();
    std::printf(
        "  %-20s %10s %10s %14s %10s\n", "table", "rows", "imported", "already there", "skipped");
    uint64_t skipped = 0;
    for (size_t i = 0; i < migrate::kSourceCount; ++i) {
        const auto source = static_cast<migrate::Source>(i);
        const std::string_view table = migrate::table_of(source);
        skipped += ledger.skipped(source);
        std::printf("  %-20.*s %10" PRIu64 " %10" PRIu64 " %14" PRIu64 " %10" PRIu64 "%s\n",
                    static_cast<int>(table.size()),
                    table.data(),
                    ledger.rows(source),
                    ledger.count(source, Fate::imported),
                    ledger.count(source, Fate::already_there),
                    ledger.skipped(source),
                    import.has_seen(source) ? "" : "   not in the dump");
    }
    if (skipped > 0) std::puts("skipped, and why:");
    for (size_t i = 0; i < migrate::kSourceCount; ++i) {
        for (auto fate = static_cast<size_t>(Fate::already_there) + 1; fate < migrate::kFateCount;
             ++fate) {
            const auto source = static_cast<migrate::Source>(i);
            if (ledger.count(source, static_cast<Fate>(fate)) > 0)
                print_skipped(ledger, source, static_cast<Fate>(fate));
        }
    }
}

// The app's name; empty, with `why`, if it cannot be told.
std::string choose_app(const config::Config& config, const std::string& name, std::string& why) {
    std::string names;
    for (const config::App& app : config.apps) {
        if (app.name == name || (name.empty() && config.apps.size() == 1)) return app.name;
        names += (names.empty() ? "" : ", ") + app.name;
    }
    why = (name.empty() ? "there are several apps; say with --app for which one the accounts are: "
                        : "no app has this name; there are: ") +
          names;
    return {};
}

}  // namespace

int import_chatsecure(const config::Config& config,
                      const std::string& path,
                      const std::string& app) {
    std::string why;
    const std::string chosen = choose_app(config, app, why);
    if (chosen.empty()) return give_up(app.empty() ? "import" : "--app " + app, why);
    Input input(path);
    if (!input.is_open())
        return give_up(path, describe(fail(Errc::system, "cannot be opened", errno)));
    OpenFailure failure;
    std::optional<OpenedStore> store = open_store(config, failure);
    if (!store) return give_up(failure.on, failure.what + ": " + describe(failure.error));
    crypto::SecureRandom::Seed seed{};
    if (const Result<void> seeded = crypto::os_random(seed); !seeded)
        return give_up("getrandom", describe(seeded.error()));
    crypto::SecureRandom random(seed);
    store::Committer committer(store->env, random);
    const migrate::ImportOptions options{
        .terms = {.app = chosen,
                  .token_lifetime = config.chatsecure.token_lifetime,
                  .now = read_clock()},
        .devices_max = config.limits.devices_max,
        .tokens_max = config.limits.tokens_max,
    };
    migrate::Import import(store->env, committer, random, options);
    const Result<void> result = run(import, input);
    if (result || import.ledger().rows() > 0) print(import);
    if (!result) {
        const uint64_t line = import.dump().line();
        give_up(path + (line > 0 ? ":" + std::to_string(line) : ""), describe(result.error()));
        if (import.ledger().rows() > 0)
            std::fputs("knuckle: what was imported until then is kept; import again\n", stderr);
        return 1;
    }
    if (!import.dump().is_complete())
        std::puts("note: the file does not end as pg_dump ends one; see that it is whole");
    std::printf("done: imported for the app %s\n", chosen.c_str());
    return 0;
}

}  // namespace knuckle::app
