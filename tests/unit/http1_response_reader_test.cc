// SPDX-License-Identifier: GPL-3.0-or-later
#include <optional>
#include <string>
#include <string_view>

#include <catch_amalgamated.hpp>

#include "http1/response_reader.h"

namespace knuckle::http1 {

namespace {

using Step = ResponseReader::Step;

struct Verdict {
    Step step = Step::need_more;
    uint16_t status = 0;

    bool operator==(const Verdict&) const = default;
};

Verdict verdict_of(ResponseReader& reader, Step step) {
    return {step, step == Step::status ? reader.status() : uint16_t{0}};
}

// The same however the bytes arrive.
Verdict read(std::string_view text) {
    ResponseReader whole;
    const Verdict verdict = verdict_of(whole, whole.next(as_bytes(text)));
    for (size_t split = 1; split < text.size(); ++split) {
        INFO("split at " << split);
        ResponseReader reader;
        static_cast<void>(reader.next(as_bytes(text.substr(0, split))));
        CHECK(verdict_of(reader, reader.next(as_bytes(text.substr(split)))) == verdict);
    }
    return verdict;
}

}  // namespace

TEST_CASE("a response is known by its status once its head is complete", "[http1]") {
    CHECK(read("HTTP/1.1 200 OK\r\n\r\n") == Verdict{Step::status, 200});
    CHECK(read("HTTP/1.1 204 \r\nServer: x\r\n\r\n") == Verdict{Step::status, 204});
    CHECK(read("HTTP/1.0 503 Busy\r\nRetry-After: 3\r\n\r\nlater") == Verdict{Step::status, 503});
    CHECK(read("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n") == Verdict{Step::status, 302});
    CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n") ==
          Verdict{Step::status, 200});
    CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n").step == Step::need_more);
    CHECK(read("").step == Step::need_more);
}

TEST_CASE("interim responses are passed over, a change of protocol is not", "[http1]") {
    CHECK(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
               "HTTP/1.1 202 Accepted\r\n\r\n") == Verdict{Step::status, 202});
    CHECK(read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n") ==
          Verdict{Step::status, 101});
}

TEST_CASE("what is no response is refused", "[http1]") {
    for (const std::string_view text : {"SSH-2.0-OpenSSH_9.2\r\n",
                                        "HTTP/2.0 200 OK\r\n\r\n",
                                        "HTTP/0.9 200 OK\r\n\r\n",
                                        "HTTP/1.1 20 OK\r\n\r\n",
                                        "HTTP/1.1 999 Odd\r\n\r\n",
                                        "GET / HTTP/1.1\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                        "Content-Length: 2\r\n\r\n"}) {
        INFO(text);
        CHECK(read(text).step == Step::error);
    }
}

TEST_CASE("a head without end is given up", "[http1]") {
    ResponseReader reader;
    REQUIRE(reader.next(as_bytes("HTTP/1.1 200 OK\r\n")) == Step::need_more);
    Step step = Step::need_more;
    size_t size = 0;
    for (; step == Step::need_more && size < 2 * kResponseHeadMax; size += 10)
        step = reader.next(as_bytes("a: 123456\r\n"));
    CHECK(step == Step::error);
    CHECK(size < kResponseHeadMax + 20);
    CHECK(reader.next(as_bytes("\r\n")) == Step::error);
    reader.reset();
    CHECK(reader.next(as_bytes("HTTP/1.1 200 OK\r\n\r\n")) == Step::status);
}

}  // namespace knuckle::http1
