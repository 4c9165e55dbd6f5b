// SPDX-License-Identifier: GPL-3.0-or-later
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <catch_amalgamated.hpp>

#include "net/mailbox.h"
#include "tests/support/loop_thread.h"

namespace knuckle::test {

namespace {

// A loop whose only business is a mailbox; it ends with the letter 0.
struct Post {
    struct Letter {
        int sender = 0;
        int number = 0;
    };
    using Mailbox = net::Mailbox<std::unique_ptr<Letter>>;

    explicit Post(size_t count_max)
        : mailbox(
              loop,
              count_max,
              [](void* self, std::unique_ptr<Letter>&& letter) {
                  static_cast<Post*>(self)->open(*letter);
              },
              this) {}

    void open(const Letter& letter) {
        opened.push_back(letter);
        if (letter.number != 0) return;
        mailbox.close();
        loop.stop();
    }
    bool post(int sender, int number) {
        return mailbox.post(std::make_unique<Letter>(Letter{sender, number}));
    }

    net::Loop loop{net::LoopOptions{}};
    Events events{loop};
    std::vector<Letter> opened;
    Mailbox mailbox;
};

}  // namespace

TEST_CASE("letters of many senders all arrive, each sender's in order", "[net]") {
    constexpr int kSenders = 4;
    constexpr int kLetters = 2'000;
    Post post(1'000'000);
    std::thread loop([&] { post.loop.run(post.events); });
    std::vector<std::thread> senders;
    std::atomic<int> refused{0};
    for (int sender = 0; sender < kSenders; ++sender) {
        senders.emplace_back([&, sender] {
            for (int number = 1; number <= kLetters; ++number) {
                if (!post.post(sender, number)) ++refused;
            }
        });
    }
    for (std::thread& sender : senders) sender.join();
    REQUIRE(post.post(0, 0));
    loop.join();
    CHECK(refused == 0);
    CHECK(post.opened.size() == kSenders * kLetters + 1);
    std::vector<int> last(kSenders, 0);
    for (const Post::Letter& letter : post.opened) {
        if (letter.number == 0) continue;
        CHECK(letter.number == last[static_cast<size_t>(letter.sender)] + 1);
        last[static_cast<size_t>(letter.sender)] = letter.number;
    }
}

TEST_CASE("a full mailbox says so", "[net]") {
    Post post(2);
    CHECK(post.post(1, 1));
    CHECK(post.post(1, 0));
    CHECK_FALSE(post.post(1, 2));
    post.loop.run(post.events);
    CHECK(post.opened.size() == 2);
}

TEST_CASE("what is posted after the end is dropped, however much it is", "[net]") {
    Post post(2);
    CHECK(post.post(1, 0));
    CHECK(post.post(1, 1));  // behind it, and so too late
    post.loop.run(post.events);
    CHECK(post.opened.size() == 1);
    for (int i = 0; i < 10; ++i) CHECK(post.post(1, 1));
    CHECK(post.opened.size() == 1);
}

}  // namespace knuckle::test
