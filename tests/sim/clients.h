// SPDX-License-Identifier: GPL-3.0-or-later
// Those who knock, and the apps that register: HTTP/1.1 over wires of their own.
//
//     clients.knock(person)        over a connection that there is, or over a new one
//     clients.register_again(...)  PUT of a device, by its owner
//
// What a worker answers is read as it is sent, because it must be true at that moment.
// Owner: World.  Thread: one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/book.h"
#include "tests/sim/events.h"
#include "tests/sim/network.h"
#include "tests/sim/swarm.h"

namespace knuckle::sim {

class Clients {
public:
    // A worker that accepts, or nullptr.
    using PickSeat = std::function<Seat*()>;

    Clients(Events& events, Swarm& swarm, Network& network, Book& book, PickSeat pick_seat);
    ~Clients();
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;

    void knock(size_t person);
    // At this worker.
    void knock(size_t person, Seat& seat);
    void knock_wrongly();
    void register_again(size_t person, size_t device);

    // Those whose answer has not been sent.
    [[nodiscard]] size_t waiting() const;
    // What is still open will not be answered any more.
    [[nodiscard]] uint64_t answers_to_knocks() const { return answers_to_knocks_; }

private:
    struct Request {
        uint64_t knock = 0;  // 0: another request
        std::vector<int> expected{};
        uint64_t end = 0;  // where it ends in what was said
        bool has_arrived = false;
        bool is_knock = false;
        Uuid device{};
    };
    class Client;

    Client* find_client();
    Client& make_client(Seat& seat);
    void say(Client* client, std::string_view text, Request request);
    [[nodiscard]] std::string compose_knock(size_t person, uint64_t number, bool is_low) const;

    Events& events_;
    Swarm& swarm_;
    Network& network_;
    Book& book_;
    PickSeat pick_seat_;
    std::vector<std::unique_ptr<Client>> clients_;
    uint64_t answers_to_knocks_ = 0;
};

}  // namespace knuckle::sim
