// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/webhook.h"

#include <algorithm>
#include <utility>

#include "app/feedback_page.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace knuckle::app {

namespace {

constexpr size_t kPlainSize = 4 * 1024;  // of what is opened at a time

bool is_success(uint16_t status) { return status >= 200 && status < 300; }

bool is_refusal(uint16_t status) {
    return status >= 300 && status < 500 && status != 408 && status != 429;
}

Duration doubled(Duration first, uint32_t attempts, Duration longest) {
    const uint32_t shift = std::min(attempts - 1, 16U);
    return std::min(first * (int64_t{1} << shift), longest);
}

}  // namespace

std::string sign(std::string_view secret, UnixTime time, std::string_view body) {
    DecimalText digits;
    const std::string seconds(
        format_decimal(static_cast<uint64_t>(std::max<int64_t>(to_unix_seconds(time), 0)), digits));
    crypto::KeyedHash hash(as_bytes(secret));
    return "t=" + seconds + ",v1=" + to_hex(hash.of(seconds, ".", body));
}

Webhook::Webhook(const WebhookOptions& options,
                 io::Io& io,
                 ChunkPool& chunks,
                 store::Reader& reader,
                 Submit submit,
                 void* context,
                 uint64_t seed)
    : options_(options),
      io_(io),
      reader_(reader),
      submit_(submit),
      context_(context),
      random_(seed),
      out_(chunks) {}

// Is there anything to send? Then a delivery begins.
void Webhook::look(Now now) {
    deadline_ = now.instant + kWebhookLookEvery;
    store::FeedbackPage page;
    if (!cursor_) {
        if (!is_readable(reader_.snapshot().read_feedback(0, 1, page), page)) return;
        cursor_ = page.sent;
    }
    // What is damaged is left out; it was counted where it was met.
    static_cast<void>(reader_.snapshot().read_feedback(*cursor_, kWebhookEventsMax, page));
    if (page.events.empty()) {
        if (page.next > *cursor_) advance(page.next);
        return;
    }
    body_end_ = page.next;
    begin(encode_feedback(page), now);
}

std::optional<WebhookBacklog> Webhook::backlog(UnixTime now) const {
    store::FeedbackPage page;
    if (!is_readable(reader_.snapshot().read_feedback(cursor_.value_or(0), 1, page), page))
        return std::nullopt;
    const uint64_t taken = cursor_.value_or(page.sent);
    WebhookBacklog backlog{.events = page.last > taken ? page.last - taken : 0, .oldest = {}};
    if (backlog.events > 0 && !page.events.empty())
        backlog.oldest = std::max(now - page.events.front().noticed, Duration{});
    return backlog;
}

// The write may be lost, to a full queue or a crash: then a later one says more, or the same events
// are sent again.
void Webhook::advance(uint64_t cursor) {
    cursor_ = cursor;
    static_cast<void>(submit_(context_, {.change = store::NoteFeedbackSent{cursor}}));
}

void Webhook::begin(std::string&& body, Now now) {
    body_ = std::move(body);
    begun_ = now.instant;
    deadline_ = now.instant + kWebhookConnectMax;
    state_ = State::connecting;
    id_ = io_.connect(options_.endpoint);
    if (id_.is_null()) give_up(fail(Errc::limit, "no connection can be had"), 0, now);
}

void Webhook::on_connected(io::ConnId id, Now now) {
    if (id != id_) return;
    if (options_.tls == nullptr) return ask(now);
    state_ = State::shaking_hands;
    tls_ = std::make_unique<tls::Engine>(
        *options_.tls, tls::EngineOptions{.server_name = options_.endpoint.host}, out_);
    const Result<void> started = tls_->start();
    flush();
    if (!started) give_up(started.error(), 0, now);
}

void Webhook::ask(Now now) {
    state_ = State::asking;
    deadline_ = begun_ + kWebhookTimeMax;
    DecimalText size;
    std::string request = "POST " + options_.target + " HTTP/1.1\r\nHost: " + options_.authority +
                          "\r\nUser-Agent: knuckle\r\nContent-Type: application/json\r\n"
                          "Content-Length: ";
    request.append(format_decimal(body_.size(), size))
        .append("\r\nKnuckle-Signature: ")
        .append(sign(options_.secret, now.unix, body_))
        .append("\r\nConnection: close\r\n\r\n")
        .append(body_);
    if (tls_ == nullptr) {
        out_.append(request);
    } else if (const Result<void> sealed = tls_->seal(as_bytes(request)); !sealed) {
        return give_up(sealed.error(), 0, now);
    }
    flush();
}

void Webhook::on_received(io::ConnId id, MutableBytes bytes, Now now) {
    if (id != id_) return;
    if (tls_ == nullptr) return read(bytes, now);
    const Result<void> opened = open(bytes, now);
    if (id != id_) return;  // the answer was there, and the delivery is over
    flush();
    if (!opened) give_up(opened.error(), 0, now);
}

Result<void> Webhook::open(ByteView ciphertext, Now now) {
    const io::ConnId id = id_;
    std::array<uint8_t, kPlainSize> plain;
    tls_->feed(ciphertext);
    for (;;) {
        const size_t size = KNUCKLE_TRY(tls_->open(plain));
        if (state_ == State::shaking_hands && tls_->is_ready()) ask(now);
        if (id != id_ || size == 0) return {};
        read(ByteView(plain).first(size), now);
        if (id != id_) return {};
    }
}

void Webhook::read(ByteView bytes, Now now) {
    switch (response_.next(bytes)) {
        case http1::ResponseReader::Step::need_more:
            return;
        case http1::ResponseReader::Step::status:
            // Before it has been asked, nobody has an answer.
            if (state_ == State::asking) return conclude(response_.status(), now);
            [[fallthrough]];
        case http1::ResponseReader::Step::error:
            return give_up(fail(Errc::protocol, "the answer is no HTTP response"), 0, now);
    }
}

void Webhook::flush() {
    if (!out_.is_empty()) io_.send(id_, out_);
}

void Webhook::on_closed(io::ConnId id, Error why, Now now) {
    if (id != id_) return;
    id_ = {};
    give_up(why, 0, now);
}

void Webhook::on_deadline(Now now) {
    if (now.instant < deadline_) return;
    if (state_ == State::waiting) return look(now);
    give_up(fail(Errc::unavailable, "the receiver took too long"), 0, now);
}

void Webhook::conclude(uint16_t status, Now now) {
    if (!is_success(status))
        return give_up(fail(Errc::unavailable, "the receiver did not take it"), status, now);
    counts_.delivered.add();
    end();
    if (attempts_ > 0) log::notice("webhook_recovered").field("attempts", attempts_);
    attempts_ = 0;
    advance(body_end_);
    deadline_ = now.instant;  // there may be more
}

void Webhook::give_up(Error why, uint16_t status, Now now) {
    counts_.failed.add();
    end();
    const bool is_refused = is_refusal(status);
    const bool is_news = attempts_ == 0 || status != failed_status_;
    // Who says no has been set up wrongly, by us or by them: that is said each time.
    if (is_news || is_refused)
        log::warning("webhook_failed").field("status", status).field("error", why);
    failed_status_ = status;
    ++attempts_;
    const Duration pause = is_refused ? doubled(kWebhookRefused, attempts_, kWebhookRefusedMax)
                                      : doubled(kWebhookRetry, attempts_, kWebhookRetryMax);
    deadline_ = now.instant + random_.jitter(pause);
}

// Whatever came of it.
void Webhook::end() {
    if (!id_.is_null()) {
        if (tls_ != nullptr && tls_->is_ready()) {
            tls_->close();
            flush();
        }
        // Not finish(): that would wait for the receiver, which may not care to close.
        io_.close(id_);
    }
    id_ = {};
    tls_.reset();
    out_.clear();
    response_.reset();
    body_.clear();
    state_ = State::waiting;
}

}  // namespace knuckle::app
