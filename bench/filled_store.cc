// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/filled_store.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "bench/arrivals.h"
#include "store/committer.h"
#include "store/key_file.h"

namespace knuckle::bench {

namespace {

enum class Kind : uint64_t { account = 1, device, token };

std::array<uint8_t, 20> bytes_of(Kind kind, uint64_t number) {
    Random random(static_cast<uint64_t>(kind) << 56 ^ number);
    std::array<uint8_t, 20> bytes;
    for (size_t i = 0; i < bytes.size(); i += 4) {
        const uint64_t word = random.next();
        std::copy_n(reinterpret_cast<const uint8_t*>(&word), 4, bytes.data() + i);
    }
    return bytes;
}

std::string text_of(Kind kind, uint64_t number) { return to_hex(bytes_of(kind, number)); }

Uuid uuid_of(Kind kind, uint64_t number) {
    Uuid uuid;
    std::copy_n(bytes_of(kind, number).data(), uuid.bytes.size(), uuid.bytes.data());
    return uuid;
}

// Batches as large as the gateway's largest.
class Writer {
public:
    explicit Writer(const store::Env& env) : random_({}), committer_(env, random_) {}

    void add(store::Change change) {
        writes_.push_back({.change = std::move(change)});
        if (writes_.size() == statuses_.size()) flush();
    }
    void flush() {
        const std::span answers(statuses_.data(), writes_.size());
        if (!committer_.apply(writes_, answers))
            throw std::runtime_error("a batch was not written");
        const auto is_done = [](store::WriteStatus status) {
            return status == store::WriteStatus::done;
        };
        if (!std::ranges::all_of(answers, is_done)) throw std::runtime_error("a write was refused");
        writes_.clear();
    }

private:
    crypto::SecureRandom random_;
    store::Committer committer_;
    std::vector<store::Write> writes_;
    std::array<store::WriteStatus, store::kBatchWritesMax> statuses_;
};

void add_account(Writer& writer, uint64_t number, UnixTime now) {
    store::Account account;
    account.id = uuid_of(Kind::account, number);
    account.app = kApp;
    account.username = text_of(Kind::account, number).substr(0, 30);
    account.password_hash = std::string(97, 'h');
    account.auth_token = text_of(Kind::account, number);
    account.created = account.seen = now;
    writer.add(store::CreateAccount{account});
    store::Device device;
    device.id = uuid_of(Kind::device, number);
    device.account = account.id;
    device.registration_id = device_text(number);
    device.created = device.registered = now;
    device.proven_in = store::ProvenIn::production;
    writer.add(store::CreateDevice{device, 1});
}

}  // namespace

std::string token_text(uint64_t number) { return text_of(Kind::token, number); }

store::Env fill_store(const std::string& directory, const Filling& filling) {
    std::filesystem::create_directories(directory);
    const auto keys = store::load_or_create_keys(directory + "/store.key", true);
    if (!keys) throw std::runtime_error(keys.error().what);
    auto env = store::Env::open({.directory = directory, .keys = *keys, .now = filling.now});
    if (!env) throw std::runtime_error(env.error().what);

    Writer writer(*env);
    const uint64_t tokens = filling.tokens + filling.expired_tokens;
    const uint64_t accounts = std::max<uint64_t>(1, tokens / filling.tokens_per_account);
    for (uint64_t i = 0; i < accounts; ++i) add_account(writer, i, filling.now);
    for (uint64_t i = 0; i < tokens; ++i) {
        const bool is_expired = i >= filling.tokens;
        store::Token token;
        token.text = token_text(i);
        token.account = uuid_of(Kind::account, i % accounts);
        token.device = uuid_of(Kind::device, i % accounts);
        token.created = filling.now;
        token.expires = filling.now + (is_expired ? hours(-1) : hours(24 * 30));
        writer.add(store::CreateToken{kApp, token, UINT32_MAX});
    }
    writer.flush();
    return std::move(*env);
}

}  // namespace knuckle::bench
