// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/provider.h"

#include <array>
#include <map>
#include <utility>

#include "base/text.h"

namespace knuckle::sim {

namespace {

constexpr uint32_t kRefusedStream = 7;  // RFC 9113 section 7
constexpr uint32_t kInternalError = 2;
constexpr std::string_view kPath = "/3/device/";

std::string take_all(Buffer& buffer) {
    std::string bytes;
    buffer.for_each_view([&bytes](ByteView view) { bytes.append(as_text(view)); });
    buffer.clear();
    return bytes;
}

}  // namespace

// The provider's end of one connection.
class Provider::End final : public FarEnd {
public:
    End(Provider& provider,
        Wire& wire,
        const io::Endpoint& endpoint,
        const mock::Http2ServerOptions& options)
        : provider_(provider),
          wire_(wire),
          name_(endpoint.host),
          is_sandbox_(endpoint.port == kSandboxPort),
          out_(provider.chunks_),
          http2_(options) {}

    void on_sent(std::string_view) override {}
    void on_read(uint64_t) override {}
    void on_bytes(std::string_view bytes) override;
    void on_end() override { is_over_ = true; }

    // Says what the session has to say.
    void flush();
    void calm();
    void on_tapped_answer(int32_t stream);

private:
    void take(const mock::Http2Request& request);
    void answer(int32_t stream, size_t attempt, const Reply& reply);
    void respond(int32_t stream, size_t attempt, const Reply& reply);
    void misbehave();
    void go_away();
    [[nodiscard]] Events& events() { return provider_.events_; }
    [[nodiscard]] Swarm& swarm() { return provider_.swarm_; }

    Provider& provider_;
    Wire& wire_;
    std::string name_;
    bool is_sandbox_;
    Buffer out_;
    mock::Http2Server http2_;
    std::map<int32_t, size_t> attempts_;  // by stream
    std::set<int32_t> open_;              // taken, and not answered yet
    int32_t last_kept_ = 0;               // a GOAWAY must not take back what was answered
    int32_t last_taken_ = 0;
    int32_t cut_at_ = INT32_MAX;  // of our GOAWAY: what is above was not processed
    bool is_wedged_ = false;
    bool is_over_ = false;
};

Provider::Provider(Events& events, Swarm& swarm, Network& network, Book& book)
    : events_(events), swarm_(swarm), network_(network), book_(book) {}
Provider::~Provider() = default;

FarEnd& Provider::accept(Wire& wire, const io::Endpoint& endpoint) {
    mock::Http2ServerOptions options;
    options.streams_max = swarm_.streams_max;
    options.is_silent = swarm_.has(Fault::mute);
    if (swarm_.has(Fault::zero_window)) options.stream_window = swarm_.coin() ? 0 : 20;
    ends_.push_back(std::make_unique<End>(*this, wire, endpoint, options));
    End& end = *ends_.back();
    wire.tap = std::make_unique<Tap>(
        [this, &wire](const std::string& what) {
            book_.fail("wire " + std::to_string(wire.number) + ": " + what);
        },
        [&end](int32_t stream) { end.on_tapped_answer(stream); });
    events_.after(swarm_.latency(), [&end] { end.flush(); });
    return end;
}

void Provider::calm() {
    for (const auto& end : ends_) end->calm();
}

void Provider::End::calm() {
    if (is_over_) return;
    http2_.speak();
    if (cut_at_ == INT32_MAX) http2_.set_streams_max(1'000);
    flush();
}

void Provider::End::on_tapped_answer(int32_t stream) {
    const auto attempt = attempts_.find(stream);
    if (attempt != attempts_.end()) provider_.book_.learn(attempt->second);
}

void Provider::End::on_bytes(std::string_view bytes) {
    if (is_over_) return;
    if (const Result<void> fed = http2_.feed(as_bytes(bytes)); !fed)
        provider_.book_.fail("the gateway broke HTTP/2: " + std::string(fed.error().what));
    mock::Http2Request request;
    while (http2_.next_request(request)) take(request);
    misbehave();
    flush();
}

void Provider::End::flush() {
    if (is_over_) return;
    static_cast<void>(http2_.drain(out_));
    if (!out_.is_empty()) provider_.network_.say(wire_, take_all(out_));
}

void Provider::End::take(const mock::Http2Request& request) {
    Book& book = provider_.book_;
    const int32_t stream = request.stream;
    last_taken_ = std::max(last_taken_, stream);
    book.check(request.method == "POST" && request.path.starts_with(kPath),
               "a request that is no push");
    book.check(request.field("apns-topic") == "org.example." + name_,
               "a push for another app's topic");
    book.check(request.field("apns-id").size() == Uuid::kTextSize, "a push without an id");
    book.check_token(request.field("authorization"));
    Attempt attempt;
    attempt.push = request.field("apns-id");
    attempt.registration = request.path.substr(std::min(kPath.size(), request.path.size()));
    attempt.knock = knock_in(as_text(request.body));
    attempt.is_background = request.field("apns-push-type") == "background";
    attempt.wire = wire_.number;
    attempt.stream = stream;
    attempt.tap = wire_.tap.get();
    attempt.is_astray =
        swarm().has_twins && book.is_of_sandbox(attempt.registration) != is_sandbox_;
    const bool is_astray = attempt.is_astray;
    const std::string registration = attempt.registration;
    const size_t index = book.push(std::move(attempt));
    attempts_[stream] = index;
    // Sent before our GOAWAY was heard, beyond what it keeps: as if it had not come.
    if (stream > cut_at_) return;
    open_.insert(stream);

    Swarm& luck = swarm();
    if (luck.has(Fault::refused_stream)) {
        open_.erase(stream);
        http2_.reset(stream, kRefusedStream);
        return;
    }
    if (luck.has(Fault::reset_stream)) {
        open_.erase(stream);
        http2_.reset(stream, kInternalError);
        return;
    }
    if (luck.has(Fault::no_answer)) return;
    Reply reply = provider_.draw_reply(registration, is_astray);
    if (reply.reason == "ExpiredProviderToken") is_wedged_ = true;
    if (is_wedged_) reply = {.status = 403, .reason = "ExpiredProviderToken"};
    const Duration delay =
        luck.has(Fault::slow_answer) ? luck.span(seconds(30)) : luck.span(luck.answer_max);
    events().after(delay, [this, stream, index, reply] {
        if (is_over_ || !open_.contains(stream)) return;
        respond(stream, index, reply);
        flush();
    });
}

void Provider::End::respond(int32_t stream, size_t attempt, const Reply& reply) {
    open_.erase(stream);
    std::string body;
    if (reply.status != 200) body = R"({"reason":")" + reply.reason + "\"";
    if (reply.timestamp) body += ",\"timestamp\":" + std::to_string(reply.timestamp->us / 1'000);
    if (reply.status != 200) body += "}";
    if (swarm().has(Fault::garbage)) body = swarm().coin() ? "<html>" : std::string(3'000, '[');
    const mock::Http2Field retry_after{"retry-after", reply.retry_after};
    const bool was_sent =
        http2_.respond(stream,
                       {.status = reply.status,
                        .fields = {&retry_after, reply.retry_after.empty() ? 0u : 1u},
                        .body = body});
    if (!was_sent) return;
    last_kept_ = std::max(last_kept_, stream);
    const bool is_readable = body.empty() || body.starts_with("{\"reason");
    provider_.book_.reply(attempt,
                          reply.status,
                          is_readable ? reply.reason : std::string(),
                          is_readable ? reply.timestamp : std::nullopt);
}

// What befalls the whole connection.
void Provider::End::misbehave() {
    Swarm& luck = swarm();
    if (luck.has(Fault::goaway)) events().after(luck.span(luck.answer_max), [this] { go_away(); });
    if (luck.has(Fault::fewer_streams)) {
        const bool is_harsh = luck.coin();
        http2_.set_streams_max(is_harsh ? static_cast<uint32_t>(luck.below(2))
                                        : static_cast<uint32_t>(luck.below(30)));
        const auto later = static_cast<uint32_t>(1 + luck.below(1'000));
        events().after(luck.span(seconds(20)), [this, later] {
            if (is_over_) return;
            http2_.set_streams_max(later);
            flush();
        });
    }
    if (luck.has(Fault::closing)) {
        events().after(luck.span(luck.answer_max), [this] {
            flush();
            is_over_ = true;
            provider_.network_.hang_up(wire_);
        });
    }
}

void Provider::End::go_away() {
    if (is_over_ || cut_at_ != INT32_MAX || http2_.counters().has_goaway) return;
    Swarm& luck = swarm();
    if (luck.below(3) == 0) {
        http2_.goaway(INT32_MAX, 0, "");
        flush();
    }
    // The last one it keeps: all, some, or only those it has answered.
    cut_at_ = last_kept_;
    if (luck.coin() && last_taken_ > last_kept_) {
        const auto beyond = static_cast<uint64_t>(last_taken_ - last_kept_);
        cut_at_ += static_cast<int32_t>(luck.below(beyond + 1));
        if (cut_at_ % 2 == 0 && cut_at_ > 0) --cut_at_;  // a client's are odd
    }
    std::erase_if(open_, [this](int32_t stream) { return stream > cut_at_; });
    http2_.goaway(cut_at_, 0, R"({"reason":"Shutdown"})");
    flush();
    if (luck.coin()) return;
    events().after(luck.span(seconds(20)), [this] {
        is_over_ = true;
        provider_.network_.hang_up(wire_);
    });
}

Provider::Reply Provider::draw_reply(const std::string& registration, bool is_astray) {
    const UnixTime registered = book_.registered(registration);
    const auto in_ms = [](UnixTime time) { return UnixTime{time.us / 1'000 * 1'000}; };
    if (!is_astray && swarm_.has(Fault::old_news)) {
        const UnixTime before = in_ms(registered + Duration{-swarm_.span(hours(48)).ns});
        return {.status = 410, .reason = "Unregistered", .timestamp = before + milliseconds(-1)};
    }
    if (!is_astray && swarm_.has(Fault::unregistered)) {
        Reply reply{.status = 410, .reason = "Unregistered"};
        if (swarm_.coin())
            reply.timestamp = in_ms(registered + swarm_.span(hours(1))) + milliseconds(1);
        return reply;
    }
    if (swarm_.has(Fault::bad_request)) return {.status = 400, .reason = "BadCollapseId"};
    if (is_astray || swarm_.has(Fault::bad_token))
        return {.status = 400, .reason = "BadDeviceToken"};
    if (swarm_.has(Fault::wrong_topic)) {
        return swarm_.coin() ? Reply{.status = 403, .reason = "InvalidProviderToken"}
                             : Reply{.status = 400, .reason = "TopicDisallowed"};
    }
    if (swarm_.has(Fault::expired_token)) return {.status = 403, .reason = "ExpiredProviderToken"};
    if (swarm_.has(Fault::token_updates))
        return {.status = 429, .reason = "TooManyProviderTokenUpdates"};
    if (swarm_.has(Fault::too_large)) return {.status = 413, .reason = "PayloadTooLarge"};
    Reply later;
    if (swarm_.coin()) later.retry_after = std::to_string(swarm_.below(300));
    later.status = 429;
    later.reason = "TooManyRequests";
    if (swarm_.has(Fault::throttled)) return later;
    later.status = 500;
    later.reason = "InternalServerError";
    if (swarm_.has(Fault::failed)) return later;
    later.status = 503;
    later.reason = "ServiceUnavailable";
    if (swarm_.has(Fault::unavailable)) return later;
    later.reason = "Shutdown";
    if (swarm_.has(Fault::shutdown)) return later;
    return {};
}

}  // namespace knuckle::sim
