// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/upstream.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "engine/knock.h"

namespace knuckle::engine {

namespace {

constexpr uint16_t kInternalServerError = 500;

// The tag of a stream is the id of its job.
uint64_t to_tag(push::JobId id) { return uint64_t{id.index} << 32 | id.generation; }
push::JobId to_job_id(uint64_t tag) {
    return {static_cast<uint32_t>(tag >> 32), static_cast<uint32_t>(tag)};
}

}  // namespace

Upstream::Upstream(Core& core, uint16_t lane, push::Trust trust, Instant now)
    : core_(core),
      options_(core.options.lanes[lane]),
      lane_(lane),
      trust_(trust),
      dialed_(now),
      received_(now),
      used_(now),
      plain_(core.chunks),
      sealed_(core.chunks),
      session_(http2::SessionOptions{}) {
    timer.owner = this;
    timer.kind = static_cast<uint8_t>(TimerKind::upstream);
}

Upstream::~Upstream() {
    KNUCKLE_ASSERT(in_flight_.is_empty());
    core_.timers.disarm(timer);
}

bool Upstream::dial() {
    id_ = core_.io.connect(options_.endpoint);
    return !id_.is_null();
}

Result<void> Upstream::on_connected(Now) {
    state_ = UpstreamState::shaking_hands;
    if (options_.tls == nullptr) return {};
    tls_ = std::make_unique<tls::Engine>(
        *options_.tls, tls::EngineOptions{.server_name = options_.server_name}, sealed_);
    KNUCKLE_TRY(tls_->start());
    return flush();
}

Result<void> Upstream::on_received(ByteView bytes,
                                   Knocks& knocks,
                                   push::apns::Decoder& decoder,
                                   Now now) {
    if (state_ == UpstreamState::dialing)
        return fail(Errc::protocol, "the provider spoke before the connection was up");
    received_ = now.instant;
    is_pinging_ = false;
    if (tls_ == nullptr) {
        if (state_ == UpstreamState::shaking_hands) state_ = UpstreamState::ready;
        return read(bytes, knocks, decoder, now);
    }
    tls_->feed(bytes);
    for (;;) {
        const size_t size = KNUCKLE_TRY(tls_->open(core_.plaintext));
        if (state_ == UpstreamState::shaking_hands && tls_->is_ready())
            state_ = UpstreamState::ready;
        if (size == 0) break;
        KNUCKLE_TRY(read({core_.plaintext.data(), size}, knocks, decoder, now));
    }
    return {};
}

// What was answered before a mistake of the provider is answered all the same.
Result<void> Upstream::read(ByteView plain, Knocks& knocks, push::apns::Decoder& decoder, Now now) {
    const Result<void> fed = session_.feed(plain);
    read_events(knocks, decoder, now);
    return fed;
}

void Upstream::read_events(Knocks& knocks, push::apns::Decoder& decoder, Now now) {
    http2::Event event;
    while (session_.next_event(event)) {
        switch (event.kind) {
            case http2::EventKind::response:
                on_response(event, knocks, decoder, now);
                break;
            case http2::EventKind::refused:
                hand_back(job_of(event), push::Outcome::not_processed, knocks, now);
                break;
            case http2::EventKind::reset:
                hand_back(job_of(event), push::Outcome::unknown, knocks, now);
                break;
            case http2::EventKind::goaway:
                log::info("provider_goaway")
                    .field("app", options_.name)
                    .field("reason", event.debug);
                stop_taking();
                break;
            case http2::EventKind::limit:
            case http2::EventKind::ping_ack:
                break;
        }
    }
}

// A stream's event comes at most once, and not after cancel(), so its job is always in our hands.
push::Job& Upstream::job_of(const http2::Event& event) {
    push::Job* const job = core_.dispatcher.find(to_job_id(event.tag));
    KNUCKLE_ASSERT(job != nullptr);
    return *job;
}

void Upstream::on_response(const http2::Event& event,
                           Knocks& knocks,
                           push::apns::Decoder& decoder,
                           Now now) {
    push::Job& job = job_of(event);
    in_flight_.erase(job);
    ++answers_;
    failures_in_a_row_ = 0;
    const push::Answer answer = decoder.decode(event);
    // Front ends of the provider have got stuck so that only another one helped.
    server_errors_ = answer.status == kInternalServerError ? server_errors_ + 1 : 0;
    const bool is_unwell = server_errors_ >= kFailuresInARowMax;
    is_failing_ = answer.outcome == push::Outcome::provider_failed;
    if (is_failing_) job.failed_on = number();
    if (knocks.settle(job, answer, now) || is_unwell) stop_taking();
}

void Upstream::hand_back(push::Job& job, push::Outcome outcome, Knocks& knocks, Now now) {
    in_flight_.erase(job);
    knocks.settle(job, {.outcome = outcome}, now);
}

bool Upstream::can_send() const {
    // When the provider does not read, the jobs wait in the lane.
    return state_ == UpstreamState::ready && session_.can_submit() &&
           core_.io.unsent(id_) <= kUpstreamUnsentMax;
}

void Upstream::send(push::Job& job, Knocks& knocks, Now now) {
    if (is_idle() && received_ + kPingBeforeUse <= now.instant) ping(now);
    push::apns::RequestText text;
    std::string_view authorization;
    if (options_.credential != kNoCredential)
        authorization = core_.provider_tokens[options_.credential].authorization;
    const http2::RequestHead head = push::apns::encode(job, options_.service, authorization, text);
    const uint64_t tag = to_tag(core_.dispatcher.id_of(job));
    const Result<int32_t> stream =
        session_.submit(head, as_bytes(job.payload->text()), tag, plain_);
    if (!stream) {
        // Its head is too large, so no connection would take it, and it must not cost one.
        knocks.settle(job, {.outcome = push::Outcome::rejected}, now);
        return;
    }
    job.stream = *stream;
    used_ = now.instant;
    in_flight_.push_back(job);
}

Result<void> Upstream::flush() {
    // nghttp2 bounds what it owes a peer that floods but does not read only until it is drained.
    if (is_open() && core_.io.unsent(id_) <= kUpstreamUnsentMax) {
        KNUCKLE_TRY(session_.drain(plain_));
        if (tls_ != nullptr && !plain_.is_empty()) KNUCKLE_TRY(tls_->seal(plain_));
    }
    Buffer& out = tls_ != nullptr ? sealed_ : plain_;
    if (!out.is_empty()) core_.io.send(id_, out);
    return {};
}

Instant Upstream::next_deadline() const {
    if (state_ < UpstreamState::ready) return dialed_ + kDialTimeout;
    return std::min(overdue_at(), is_pinging_ ? pinged_ + kPingTimeout : ping_at());
}

Instant Upstream::overdue_at() const {
    const push::Job* const oldest = in_flight_.front();
    return oldest != nullptr ? oldest->since + core_.options.request_timeout : kNever;
}

Instant Upstream::ping_at() const {
    const push::Job* const oldest = in_flight_.front();
    if (oldest == nullptr) return std::max(received_, pinged_) + kPingWhenIdle;
    return std::max({received_, pinged_, oldest->since}) + kPingAfter;
}

// Nothing at all has come since somebody there had reason to speak.
bool Upstream::is_gone(Now now) const {
    if (is_pinging_ && pinged_ + kPingTimeout <= now.instant) return true;
    return overdue_at() <= now.instant && received_ <= in_flight_.front()->since;
}

Result<void> Upstream::on_deadline(Knocks& knocks, Now now) {
    if (next_deadline() > now.instant) return {};  // it has moved since the timer was armed
    if (state_ == UpstreamState::dialing)
        return fail(Errc::unavailable, "connecting took too long");
    if (state_ == UpstreamState::shaking_hands)
        return fail(Errc::unavailable, "the TLS handshake took too long");
    if (is_gone(now)) return fail(Errc::unavailable, "the provider stopped answering");
    if (overdue_at() <= now.instant) give_up_overdue(knocks, now);
    if (!is_pinging_ && ping_at() <= now.instant) ping(now);
    return {};
}

void Upstream::ping(Now now) {
    if (is_pinging_) return;
    session_.ping();
    is_pinging_ = true;
    pinged_ = now.instant;
    core_.counters.upstream_pings.add();
}

void Upstream::give_up_overdue(Knocks& knocks, Now now) {
    // Somebody is there, but answers nothing.
    if (++failures_in_a_row_ >= kFailuresInARowMax) stop_taking();
    while (overdue_at() <= now.instant) {
        push::Job& job = *in_flight_.front();
        session_.cancel(job.stream);
        hand_back(job, push::Outcome::unknown, knocks, now);
    }
}

void Upstream::end(Knocks& knocks, Now now) {
    // The last words are a courtesy; the connection ends with or without them.
    if (is_open()) {
        session_.close();
        static_cast<void>(flush());
        if (tls_ != nullptr) tls_->close();
    }
    if (!sealed_.is_empty()) core_.io.send(id_, sealed_);
    core_.io.finish(id_);
    while (push::Job* const job = in_flight_.front())
        hand_back(*job, push::Outcome::unknown, knocks, now);
}

// Is there a way for HTTP/2, in both directions?
bool Upstream::is_open() const {
    return tls_ != nullptr ? tls_->is_ready() : state_ >= UpstreamState::ready;
}

bool Upstream::is_trusted() const {
    return state_ == UpstreamState::ready && !session_.is_on_trial();
}

bool Upstream::wants_replacement() const {
    return state_ == UpstreamState::draining || session_.is_draining();
}

}  // namespace knuckle::engine
