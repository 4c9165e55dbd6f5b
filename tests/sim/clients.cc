// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/clients.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace knuckle::sim {

class Clients::Client final : public FarEnd {
public:
    explicit Client(Clients& clients) : clients_(clients) {}

    void on_sent(std::string_view bytes) override;
    void on_read(uint64_t bytes_total) override;
    void on_bytes(std::string_view bytes) override { answers_size_ += bytes.size(); }
    void on_end() override { is_over = true; }

    void say(std::string_view text, Request request) {
        said_ += text.size();
        request.end = said_;
        requests_.push_back(std::move(request));
        clients_.network_.say(*wire, text);
    }
    void hang_up() {
        is_over = true;
        clients_.network_.hang_up(*wire);
    }
    // A polite client waits for its answer before it asks again.
    [[nodiscard]] bool is_free() const { return !is_over && !wire->is_stale() && waiting() == 0; }
    [[nodiscard]] bool is_usable() const { return !is_over && !wire->is_stale(); }
    [[nodiscard]] size_t waiting() const { return requests_.size() - answered_; }

    Wire* wire = nullptr;
    bool is_over = false;

private:
    void take_answer(int status);

    Clients& clients_;
    std::deque<Request> requests_;
    size_t arrived_ = 0;
    size_t answered_ = 0;
    uint64_t said_ = 0;
    uint64_t answers_size_ = 0;
    std::string unread_;
};

void Clients::Client::on_read(uint64_t bytes_total) {
    for (; arrived_ < requests_.size() && requests_[arrived_].end <= bytes_total; ++arrived_) {
        Request& request = requests_[arrived_];
        request.has_arrived = true;
        if (request.knock != 0) clients_.book_.arrive(request.knock);
        if (request.device != Uuid{}) clients_.book_.touch(request.device);
    }
}

void Clients::Client::on_sent(std::string_view bytes) {
    unread_ += bytes;
    for (;;) {
        const size_t end = unread_.find("\r\n\r\n");
        if (end == std::string::npos) return;
        const std::string head = unread_.substr(0, end + 2);
        size_t body_size = 0;
        constexpr std::string_view kLength = "\r\nContent-Length: ";
        if (const size_t at = head.find(kLength); at != std::string::npos) {
            const size_t begin = at + kLength.size();
            const std::string_view digits =
                std::string_view(head).substr(begin, head.find('\r', begin) - begin);
            body_size = parse_decimal(digits).value_or(0);
        }
        if (unread_.size() < end + 4 + body_size) return;
        unread_.erase(0, end + 4 + body_size);
        take_answer(std::stoi(head.substr(9, 3)));
    }
}

void Clients::Client::take_answer(int status) {
    Book& book = clients_.book_;
    // One that takes too long to arrive is given up by the gateway.
    if (status == 408) return;
    if (answered_ >= requests_.size() || !requests_[answered_].has_arrived)
        return book.fail("an answer to no request: " + std::to_string(status));
    const Request& request = requests_[answered_++];
    if (request.is_knock) ++clients_.answers_to_knocks_;
    if (request.knock != 0) {
        book.answer(request.knock, status);
    } else if (std::ranges::find(request.expected, status) == request.expected.end()) {
        book.fail("a request was answered " + std::to_string(status));
    }
}

Clients::Clients(Events& events, Swarm& swarm, Network& network, Book& book, PickSeat pick_seat)
    : events_(events),
      swarm_(swarm),
      network_(network),
      book_(book),
      pick_seat_(std::move(pick_seat)) {}
Clients::~Clients() = default;

Clients::Client* Clients::find_client() {
    std::vector<Client*> usable;
    for (const auto& client : clients_) {
        const bool may_say =
            client->is_free() || (client->is_usable() && swarm_.has(Fault::pipelined));
        if (may_say) usable.push_back(client.get());
    }
    if (!usable.empty() && swarm_.below(4) != 0) return usable[swarm_.below(usable.size())];
    Seat* const seat = pick_seat_();
    return seat != nullptr ? &make_client(*seat) : nullptr;
}

Clients::Client& Clients::make_client(Seat& seat) {
    constexpr std::array<std::string_view, 3> kAddresses = {
        "192.0.2.7", "192.0.2.8", "2001:db8::7"};
    clients_.push_back(std::make_unique<Client>(*this));
    Client& client = *clients_.back();
    const auto address = io::parse_peer_address(kAddresses[swarm_.below(kAddresses.size())]);
    client.wire = &network_.call(seat, *address, client);
    return client;
}

void Clients::say(Client* client, std::string_view text, Request request) {
    if (client == nullptr || !client->is_usable()) return;
    client->say(text, std::move(request));
    if (swarm_.has(Fault::hung_up)) {
        events_.after(swarm_.span(seconds(5)), [client] {
            if (client->is_usable()) client->hang_up();
        });
    }
}

namespace {

std::string compose(std::string_view method,
                    const std::string& path,
                    const std::string& body,
                    const std::string& fields = {}) {
    return std::string(method) + " " + path + " HTTP/1.1\r\nHost: push.example.org\r\n" + fields +
           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

}  // namespace

std::string Clients::compose_knock(size_t index, uint64_t number, bool is_low) const {
    const Person& person = book_.people()[index];
    return compose(
        "POST",
        "/" + app_name(person.app) + "/api/v1/messages/",
        R"({"token":")" + person.token.text +
            (is_low ? R"(","priority":"low","data":{"knock":)" : R"(","data":{"knock":)") +
            std::to_string(number) + "}}");
}

void Clients::knock(size_t person) {
    const bool is_low = swarm_.below(100) < swarm_.low_share;
    const uint64_t number = book_.say(person, is_low);
    say(find_client(), compose_knock(person, number, is_low), {.knock = number, .is_knock = true});
}

void Clients::knock(size_t person, Seat& seat) {
    const uint64_t number = book_.say(person, false);
    say(&make_client(seat),
        compose_knock(person, number, false),
        {.knock = number, .is_knock = true});
}

void Clients::knock_wrongly() {
    say(find_client(),
        compose("POST",
                "/chat/api/v1/messages/",
                R"({"token":"0123456789012345678901234567890123456789"})"),
        {.expected = {404, 429, 503}, .is_knock = true});
}

void Clients::register_again(size_t index, size_t device) {
    const Person& person = book_.people()[index];
    const store::Device& it = person.devices[device % person.devices.size()];
    say(find_client(),
        compose("PUT",
                "/" + app_name(person.app) + "/api/v1/device/apns/" + it.id.text() + "/",
                R"({"registration_id":")" + it.registration_id + "\"}",
                "Authorization: Token " + person.account.auth_token + "\r\n"),
        {.expected = {200, 429, 503}});
}

size_t Clients::waiting() const {
    size_t count = 0;
    for (const auto& client : clients_) {
        if (client->is_usable()) count += client->waiting();
    }
    return count;
}

}  // namespace knuckle::sim
