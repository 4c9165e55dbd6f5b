// SPDX-License-Identifier: GPL-3.0-or-later
// What the encoder writes, read by nghttp2's decoder.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>
#include <nghttp2/nghttp2.h>

#include "base/random.h"
#include "http2/head_encoder.h"
#include "tests/support/http2_pair.h"

using namespace knuckle;
using namespace knuckle::http2;
using test::push_head;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const RequestHead& head) {
    Fields fields{{":method", "POST"}, {":scheme", "https"}};
    fields.emplace_back(":authority", head.authority);
    fields.emplace_back(":path", head.path);
    for (size_t i = 0; i < head.fields_count; ++i)
        fields.emplace_back(head.fields[i].name, head.fields[i].value);
    return fields;
}

// The peer, and what the encoder sends it.
struct Peer {
    Peer() { REQUIRE(nghttp2_hd_inflate_new(&inflater) == 0); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() { nghttp2_hd_inflate_del(inflater); }

    // The octets that a head takes, after checking that it reads as it was written.
    size_t send(HeadEncoder& encoder, const RequestHead& head, std::string_view updates = {}) {
        encoder.resize_table(as_bytes(updates));
        // A block of its own, so that ASan sees an octet too many.
        const size_t size_max = updates.size() + HeadEncoder::size_max(head);
        const std::unique_ptr<uint8_t[]> block(new uint8_t[size_max]);
        copy_bytes(block.get(), as_bytes(updates));
        const uint8_t* const end = encoder.encode(head, block.get() + updates.size());
        const auto size = static_cast<size_t>(end - block.get());
        REQUIRE(size <= size_max);
        CHECK(read({block.get(), size}) == fields_of(head));
        return size;
    }

    Fields read(ByteView block) {
        Fields fields;
        int flags = 0;
        do {
            nghttp2_nv field;
            const nghttp2_ssize taken =
                nghttp2_hd_inflate_hd3(inflater, &field, &flags, block.data(), block.size(), 1);
            REQUIRE(taken >= 0);
            block = block.subspan(static_cast<size_t>(taken));
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
                fields.emplace_back(as_text({field.name, field.namelen}),
                                    as_text({field.value, field.valuelen}));
        } while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0);
        nghttp2_hd_inflate_end_headers(inflater);
        return fields;
    }

    [[nodiscard]] size_t entries() const {
        constexpr size_t kStaticCount = 61;
        return nghttp2_hd_inflate_get_num_table_entries(inflater) - kStaticCount;
    }

    nghttp2_hd_inflater* inflater = nullptr;
};

// A table size update (RFC 7541 section 6.3).
std::string resized_to(size_t size) {
    if (size < 31) return std::string(1, static_cast<char>(0x20 | size));
    std::string octets = "\x3f";
    for (size -= 31; size >= 128; size /= 128) octets += static_cast<char>(0x80 | size % 128);
    return octets + static_cast<char>(size);
}

}  // namespace

TEST_CASE("What repeats is one octet from the second head on", "[http2][hpack]") {
    Peer peer;
    HeadEncoder encoder;
    const size_t first = peer.send(encoder, push_head());
    const size_t second = peer.send(encoder, push_head("99999999-2222-4333-8444-555555555555"));
    const size_t third = peer.send(encoder, push_head());
    CHECK(second == third);
    // Four fields of one octet, three that still have their value, two that are never in the table.
    const RequestHead head = push_head();
    size_t literals = 0;
    for (const char* name : {"authorization", "apns-id", "apns-expiration", "apns-collapse-id"})
        for (const HeaderField& field : head.fields)
            if (field.name == name) literals += field.value.size() + 3;
    CHECK(second <= 2 + 4 + literals + head.path.size() + 3);
    CHECK(second + 100 < first);
    CHECK(peer.entries() == 7);
}

TEST_CASE("Two kinds of push on one connection both become short", "[http2][hpack]") {
    Peer peer;
    HeadEncoder encoder;
    RequestHead background = push_head();
    background.fields[2].value = "background";
    background.fields[3].value = "5";
    peer.send(encoder, push_head());
    peer.send(encoder, background);
    const size_t entries = peer.entries();
    const size_t alert_size = peer.send(encoder, push_head());
    CHECK(peer.send(encoder, background) == alert_size);
    CHECK(peer.entries() == entries);
}

TEST_CASE("Texts of every size arrive, and fit in what was asked for", "[http2][hpack]") {
    const size_t size = GENERATE(0, 1, 14, 15, 16, 126, 127, 128, 254, 255, 256, 7'000);
    const std::string text(size, 'x');
    const Indexing indexing = GENERATE(Indexing::allowed, Indexing::once, Indexing::never);
    Peer peer;
    HeadEncoder encoder;
    RequestHead head;
    head.authority = text;
    head.path = text;
    head.add({"x-text", text, indexing});
    for (int i = 0; i < 3; ++i) peer.send(encoder, head);
}

TEST_CASE("A table that is full is left as it is", "[http2][hpack]") {
    Peer peer;
    HeadEncoder encoder;
    for (int number = 0; number < 100; ++number) {
        const std::string value = std::to_string(number);
        RequestHead head = push_head();
        head.add({"x-number", value, Indexing::allowed});
        peer.send(encoder, head);
    }
    CHECK(peer.entries() == HeadEncoder::kEntriesMax);
}

TEST_CASE("The peer's table may shrink and grow between heads", "[http2][hpack]") {
    Random random(1);
    for (int round = 0; round < 100; ++round) {
        Peer peer;
        HeadEncoder encoder;
        for (int i = 0; i < 20; ++i) {
            std::string updates;
            if (random.below(3) == 0) updates += resized_to(random.below(600));
            if (random.below(6) == 0) updates += resized_to(random.below(4'097));
            RequestHead head = push_head();
            const std::string priority = std::to_string(random.below(3));
            head.fields[3].value = priority;
            peer.send(encoder, head, updates);
        }
    }
}
