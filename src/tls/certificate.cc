// SPDX-License-Identifier: GPL-3.0-or-later
#include "tls/certificate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>

#include "base/bytes.h"
#include "base/text.h"

namespace knuckle::tls {

namespace {

constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kSet = 0x31;
constexpr uint8_t kOid = 0x06;
constexpr uint8_t kBoolean = 0x01;
constexpr uint8_t kOctets = 0x04;
constexpr uint8_t kUtf8 = 0x0c;
constexpr uint8_t kUtcTime = 0x17;
constexpr uint8_t kGeneralizedTime = 0x18;
constexpr uint8_t kVersion = 0xa0;
constexpr uint8_t kExtensions = 0xa3;

constexpr std::array<uint8_t, 3> kCommonName{0x55, 0x04, 0x03};
constexpr std::array<uint8_t, 3> kOrganization{0x55, 0x04, 0x0a};
constexpr std::array<uint8_t, 10> kUserId{
    0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01};
// 1.2.840.113635.100.6.3, without the last number
constexpr std::array<uint8_t, 9> kAppleTopics{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 0x64, 0x06, 0x03};

bool is(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

std::string text_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Element {
    uint8_t tag = 0;
    ByteView content;
};

// Cuts the next element of DER out of `rest`; lengths up to 64 KiB.
std::optional<Element> next(ByteView& rest) {
    if (rest.size() < 2) return std::nullopt;
    const uint8_t tag = rest[0];
    size_t length = rest[1];
    size_t begin = 2;
    if (length >= 0x80) {
        const size_t count = length & 0x7f;
        if (count == 0 || count > 2 || rest.size() < begin + count) return std::nullopt;
        length = 0;
        for (size_t i = 0; i < count; ++i) length = length << 8 | rest[begin + i];
        begin += count;
    }
    if (rest.size() - begin < length) return std::nullopt;
    const Element element{tag, rest.subspan(begin, length)};
    rest = rest.subspan(begin + length);
    return element;
}

std::optional<ByteView> next(ByteView& rest, uint8_t tag) {
    const auto element = next(rest);
    if (!element || element->tag != tag) return std::nullopt;
    return element->content;
}

// "YYMMDDHHMMSSZ", or with four digits of the year (RFC 5280 section 4.1.2.5).
std::optional<UnixTime> next_time(ByteView& rest) {
    const auto element = next(rest);
    if (!element) return std::nullopt;
    std::string text = text_of(element->content);
    if (element->tag == kUtcTime && text.size() == 13) {
        text.insert(0, text[0] < '5' ? "20" : "19");
    } else if (element->tag != kGeneralizedTime) {
        return std::nullopt;
    }
    if (text.size() != 15 || text.back() != 'Z') return std::nullopt;
    const auto digits = parse_decimal(std::string_view(text).substr(0, 14));
    if (!digits) return std::nullopt;
    const uint64_t date = *digits / 1'000'000;
    const uint64_t clock = *digits % 1'000'000;
    const std::chrono::year_month_day day{
        std::chrono::year(static_cast<int>(date / 10'000)),
        std::chrono::month(static_cast<unsigned>(date / 100 % 100)),
        std::chrono::day(static_cast<unsigned>(date % 100))};
    if (!day.ok()) return std::nullopt;
    const int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
    const auto seconds =
        static_cast<int64_t>(clock / 10'000 * 3'600 + clock / 100 % 100 * 60 + clock % 100);
    return from_unix_seconds(days * 86'400 + seconds);
}

// What is of interest in a name (RFC 5280 section 4.1.2.4).
struct Name {
    std::string common_name;
    std::string organization;
    std::string user_id;
};

Name read_name(ByteView name) {
    Name read;
    while (auto group = next(name, kSet)) {
        while (auto attribute = next(*group, kSequence)) {
            const auto oid = next(*attribute, kOid);
            const auto value = next(*attribute);
            if (!oid || !value) break;
            if (is(*oid, kCommonName)) read.common_name = text_of(value->content);
            if (is(*oid, kOrganization)) read.organization = text_of(value->content);
            if (is(*oid, kUserId)) read.user_id = text_of(value->content);
        }
    }
    return read;
}

void read_extensions(ByteView all, CertificateFacts& facts) {
    while (auto extension = next(all, kSequence)) {
        const auto oid = next(*extension, kOid);
        auto value = next(*extension);
        if (value && value->tag == kBoolean) value = next(*extension);
        if (!oid || !value || value->tag != kOctets) continue;
        const bool is_topics = oid->size() == kAppleTopics.size() + 1 &&
                               is(oid->first(kAppleTopics.size()), kAppleTopics) &&
                               (oid->back() == 4 || oid->back() == 6);
        if (!is_topics) continue;
        // Names, each with a list of what it is for.
        auto names = next(value->content, kSequence);
        while (names && facts.topics.size() < kTopicsMax) {
            const auto name = next(*names);
            if (!name) break;
            if (name->tag == kUtf8) facts.topics.push_back(text_of(name->content));
        }
    }
}

}  // namespace

bool CertificateFacts::allows(std::string_view topic) const {
    if (!topics.empty()) return std::ranges::find(topics, topic) != topics.end();
    if (!user_id.empty()) return user_id == topic;
    return common_name == topic || common_name.ends_with(": " + std::string(topic));
}

Result<CertificateFacts> read_certificate(std::string_view pem) {
    constexpr size_t kCertificateMax = 64 * 1024;
    if (pem.size() > kCertificateMax * 4) return fail(Errc::invalid, "is too large");
    std::vector<uint8_t> der(pem.size());
    const int size = wc_CertPemToDer(as_bytes(pem).data(),
                                     static_cast<int>(pem.size()),
                                     der.data(),
                                     static_cast<int>(der.size()),
                                     CERT_TYPE);
    if (size <= 0) return fail(Errc::invalid, "holds no certificate in PEM form");
    return read_certificate_der({der.data(), static_cast<size_t>(size)});
}

Result<CertificateFacts> read_certificate_der(ByteView der) {
    const Error damaged = fail(Errc::invalid, "holds a certificate that cannot be read");
    auto certificate = next(der, kSequence);
    if (!certificate) return damaged;
    auto body = next(*certificate, kSequence);
    if (!body) return damaged;
    if (!body->empty() && body->front() == kVersion) static_cast<void>(next(*body));
    CertificateFacts facts;
    // The serial number and the algorithm.
    for (int i = 0; i < 2; ++i) {
        if (!next(*body)) return damaged;
    }
    const auto issuer = next(*body, kSequence);
    if (!issuer) return damaged;
    Name issuer_name = read_name(*issuer);
    facts.issuer = issuer_name.common_name.empty() ? std::move(issuer_name.organization)
                                                   : std::move(issuer_name.common_name);
    auto validity = next(*body, kSequence);
    if (!validity) return damaged;
    const auto not_before = next_time(*validity);
    const auto not_after = next_time(*validity);
    const auto subject = next(*body, kSequence);
    if (!not_before || !not_after || !subject) return damaged;
    facts.not_before = *not_before;
    facts.not_after = *not_after;
    Name name = read_name(*subject);
    facts.common_name = std::move(name.common_name);
    facts.user_id = std::move(name.user_id);
    while (const auto element = next(*body)) {
        if (element->tag != kExtensions) continue;
        ByteView content = element->content;
        if (const auto extensions = next(content, kSequence)) read_extensions(*extensions, facts);
    }
    return facts;
}

}  // namespace knuckle::tls
