// SPDX-License-Identifier: GPL-3.0-or-later
// The path of a knock cut into its stages, each a function of the very modules that the gateway is
// made of, with a provider in memory behind them. For one knock, in this order:
//
//     Stages stages(ends, env);
//     stages.set_knock(token);
//     stages.parse();  route();  decode();  look_up();  encode();  submit();  seal();
//     stages.provide();                      the provider's part: not ours, not measured
//     stages.open();  hear();  respond();
//
// and with a TLS client before and behind these, front_open() and front_seal(). What the engine
// does between the stages (limits, queues, pools, timers, counters) is none of them: it is the rest
// of the whole (whole_knock.h). The functions are never inlined, so that callgrind knows their
// names.
// Owner: the benchmark.  Thread: one.  Throws std::runtime_error.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/command.h"
#include "api/rest.h"
#include "base/buffer.h"
#include "bench/memory_ends.h"
#include "crypto/random.h"
#include "http1/parser.h"
#include "http2/session.h"
#include "push/apns.h"
#include "push/job.h"
#include "store/env.h"
#include "store/snapshot.h"
#include "tls/engine.h"

namespace knuckle::bench {

// As `load` sends it.
[[nodiscard]] std::string knock_text(std::string_view token);

class Stages {
public:
    Stages(const Ends& ends, const store::Env& env);
    Stages(const Stages&) = delete;
    Stages& operator=(const Stages&) = delete;

    void set_knock(std::string_view token);
    [[gnu::noinline]] void front_open();
    [[gnu::noinline]] void parse();
    [[gnu::noinline]] void route();  // decode() does it once more
    [[gnu::noinline]] void decode();
    [[gnu::noinline]] void look_up();
    [[gnu::noinline]] void encode();
    [[gnu::noinline]] void submit();
    [[gnu::noinline]] void seal();
    void provide();
    [[gnu::noinline]] void open();
    [[gnu::noinline]] void hear();
    [[gnu::noinline]] void respond();
    [[gnu::noinline]] void front_seal();

private:
    void shake_hands();

    ChunkPool chunks_;
    api::Routes routes_;
    std::string input_;  // the request, and room behind it
    size_t input_size_ = 0;

    MemoryClient client_;
    Buffer front_out_;
    tls::Engine front_;
    std::string to_front_;
    std::string to_client_;
    std::string client_heard_;

    http1::Parser parser_;
    api::Decoder decoder_;
    api::Call call_;
    store::Reader reader_;
    store::TokenOwner owner_;
    store::Target target_;
    crypto::SecureRandom random_{{}};
    push::apns::Service service_;
    std::string authorization_;
    push::Job job_;
    push::Payload payload_;
    push::apns::RequestText text_;
    http2::RequestHead head_;
    http2::Session session_;
    Buffer plain_;
    Buffer sealed_;
    tls::Engine upstream_;
    MemoryApns apns_;
    std::string to_apns_;
    std::string from_apns_;
    std::array<uint8_t, 16 * 1024> opened_;
    size_t opened_size_ = 0;
    push::apns::Decoder answers_;
    std::string http_date_;
    std::string reply_;
    Buffer response_;
};

}  // namespace knuckle::bench
