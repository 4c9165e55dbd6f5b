// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/knock_stages.h"

#include <ctime>
#include <stdexcept>
#include <variant>

#include "api/route.h"
#include "base/text.h"
#include "bench/filled_store.h"
#include "crypto/jwt.h"
#include "http1/response.h"
#include "io/io.h"
#include "push/credential.h"

namespace knuckle::bench {

namespace {

// A truth, or a result that should have a value.
template <typename T>
void expect(const T& is_so, const char* what) {
    if (!is_so) throw std::runtime_error(what);
}

UnixTime wall_clock() { return from_unix_seconds(::time(nullptr)); }

}  // namespace

std::string knock_text(std::string_view token) {
    const std::string body = R"({"token":")" + std::string(token) + R"("})";
    return "POST /api/v1/messages/ HTTP/1.1\r\nHost: push.example.org\r\n"
           "Content-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

Stages::Stages(const Ends& ends, const store::Env& env)
    : routes_{.apps = {{kApp, {}}}},
      client_(ends),
      front_out_(chunks_),
      front_(ends.gateway_in, {}, front_out_),
      decoder_(routes_),
      reader_(env),
      service_{.authority = "localhost", .topic = "org.example.chat", .collapse_id = "knock"},
      session_({}),
      plain_(chunks_),
      sealed_(chunks_),
      upstream_(ends.gateway_out, {.server_name = "localhost"}, sealed_),
      apns_(ends),
      http_date_(http1::format_http_date(wall_clock())),
      response_(chunks_) {
    auto signer = crypto::Es256Signer::load(ends.provider_key.key_pem);
    expect(signer, "no key");
    const auto token =
        push::Credential(std::move(*signer), "KEY1234567", "TEAM123456").renew(wall_clock());
    expect(token, "no provider token");
    authorization_ = token->authorization;
    shake_hands();
}

void Stages::shake_hands() {
    expect(upstream_.start(), "no TLS to the provider");
    client_.take({}, client_heard_, to_front_);
    for (int i = 0; i < 8 && !(upstream_.is_ready() && front_.is_ready()); ++i) {
        move_to(sealed_, to_apns_);
        provide();
        open();
        expect(session_.feed(ByteView(opened_).first(opened_size_)), "no HTTP/2");
        move_to(front_out_, to_client_);
        client_.take(as_bytes(to_client_), client_heard_, to_front_);
        to_client_.clear();
        front_.feed(as_bytes(to_front_));
        expect(front_.open(opened_), "no TLS from the client");
        to_front_.clear();
    }
    expect(upstream_.is_ready() && front_.is_ready(), "no handshake");
}

void Stages::set_knock(std::string_view token) {
    input_ = knock_text(token);
    if (!to_client_.empty()) client_.take(as_bytes(to_client_), client_heard_, to_front_);
    to_client_.clear();
    client_heard_.clear();
    to_front_.clear();
    response_.clear();
    client_.say(input_, to_front_);
    input_size_ = input_.size();
    input_.append(io::kReadPadding, 'x');
}

void Stages::front_open() {
    front_.feed(as_bytes(to_front_));
    const Result<size_t> size = front_.open(opened_);
    expect(size && *size == input_size_, "the request did not open");
    const Result<size_t> more = front_.open(opened_);
    expect(more && *more == 0, "more than the request opened");
}

void Stages::parse() {
    ByteView rest = as_bytes(input_).first(input_size_);
    expect(parser_.next(rest) == http1::Step::request, "no request");
}

void Stages::route() {
    const http1::Request& request = parser_.request();
    const auto found = api::find_route(request.path, request.field("Host"), routes_);
    expect(found && found->endpoint == api::Endpoint::messages, "no route");
}

void Stages::decode() {
    decoder_.decode(parser_.request(), call_);
    expect(std::holds_alternative<api::Knock>(call_.command), "no knock");
}

void Stages::look_up() {
    store::Snapshot snapshot = reader_.snapshot();
    const std::string_view token = std::get<api::Knock>(call_.command).token;
    expect(snapshot.find_token(kApp, token, owner_) == store::Lookup::found, "no such token");
    snapshot.prefetch_targets(owner_.account);
    const store::Lookup lookup = snapshot.for_each_target(
        owner_.account, [this](const store::Target& target) { target_ = target; });
    expect(lookup == store::Lookup::found, "no device");
}

void Stages::encode() {
    const std::string_view token = std::get<api::Knock>(call_.command).token;
    const Result<size_t> payload =
        push::apns::encode_payload(push::Style::alert, token, "null", payload_.small);
    const auto decoded = push::apns::decode_token(target_.registration_id(), job_.token);
    expect(payload && decoded, "not encoded");
    payload_.size = static_cast<uint16_t>(*payload);
    job_.payload = &payload_;
    job_.account = owner_.account;
    job_.device = target_.device;
    job_.push = random_.uuid();
    job_.expires = target_.registered + hours(24);
    head_ = push::apns::encode(job_, service_, authorization_, text_);
}

void Stages::submit() {
    const ByteView body = as_bytes(job_.payload->text());
    expect(session_.submit(head_, body, 1, plain_), "not submitted");
    expect(session_.drain(plain_), "not drained");
}

void Stages::seal() { expect(upstream_.seal(plain_), "not sealed"); }

void Stages::provide() {
    move_to(sealed_, to_apns_);
    apns_.take(as_bytes(to_apns_), from_apns_);
    to_apns_.clear();
}

void Stages::open() {
    opened_size_ = 0;
    upstream_.feed(as_bytes(from_apns_));
    for (;;) {
        const Result<size_t> size = upstream_.open(MutableBytes(opened_).subspan(opened_size_));
        expect(size, "the answer did not open");
        if (*size == 0) break;
        opened_size_ += *size;
    }
    from_apns_.clear();
}

void Stages::hear() {
    expect(session_.feed(ByteView(opened_).first(opened_size_)), "bad HTTP/2");
    http2::Event event;
    bool is_accepted = false;
    while (session_.next_event(event)) {
        if (event.kind == http2::EventKind::response)
            is_accepted = answers_.decode(event).outcome == push::Outcome::delivered;
    }
    expect(is_accepted, "the push was not accepted");
}

void Stages::respond() {
    api::encode_knock(std::get<api::Knock>(call_.command), reply_);
    const std::array<http1::Field, 2> fields = {http1::Field{"Allow", call_.allow},
                                                http1::Field{"Vary", "Accept"}};
    http1::Response response;
    response.status = 202;
    response.content_type = "application/json";
    response.body = reply_;
    response.fields = fields;
    http1::write_response(response, http_date_, response_);
    parser_.finish();
}

void Stages::front_seal() {
    expect(front_.seal(response_), "the response did not seal");
    move_to(front_out_, to_client_);
}

}  // namespace knuckle::bench
