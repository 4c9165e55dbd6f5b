// SPDX-License-Identifier: GPL-3.0-or-later
#include "http2/streams.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"

namespace knuckle::http2 {

void Streams::add_field(Stream& stream, std::string_view name, std::string_view value) {
    if (stream.has_head) return;
    if (name == ":status") {
        // The first field of every head, so it begins a new one: a final head replaces the interim
        // ones.
        stream.status = static_cast<uint16_t>(parse_decimal(value).value_or(0));
        stream.retry_after_size = 0;
    } else if (name == "retry-after" && value.size() <= ResponseText::kRetryAfterMax) {
        std::copy(value.begin(), value.end(), text_of(stream).retry_after.begin());
        stream.retry_after_size = static_cast<uint8_t>(value.size());
    }
}

Stream* Streams::open(uint64_t tag, ByteView body) {
    Stream* const stream = pool_.take(tag, body);
    if (stream != nullptr) ++open_count_;
    return stream;
}

void Streams::add_body(Stream& stream, ByteView bytes) {
    const size_t count = std::min(bytes.size(), kResponseBodyMax - stream.body_size);
    if (count == 0) return;
    copy_bytes(text_of(stream).body.data() + stream.body_size, bytes.first(count));
    stream.body_size = static_cast<uint16_t>(stream.body_size + count);
}

ResponseText& Streams::text_of(Stream& stream) {
    if (stream.text == nullptr) {
        if (spare_texts_.empty()) spare_texts_.push_back(std::make_unique<ResponseText>());
        stream.text = std::move(spare_texts_.back());
        spare_texts_.pop_back();
    }
    return *stream.text;
}

void Streams::finish(Stream& stream, EventKind outcome, uint32_t error_code) {
    KNUCKLE_ASSERT(!stream.is_finished);
    stream.is_finished = true;
    stream.outcome = outcome;
    stream.error_code = error_code;
    --open_count_;
    finished_.push_back(stream);
}

void Streams::forget(Stream& stream) {
    KNUCKLE_ASSERT(&stream != shown_);
    if (stream.is_finished) {
        finished_.erase(stream);
    } else {
        --open_count_;
    }
    release(stream);
}

bool Streams::next_event(Event& event) {
    release_shown();
    Stream* const stream = finished_.pop_front();
    if (stream == nullptr) return false;
    shown_ = stream;
    event = {};
    event.kind = stream->outcome;
    event.tag = stream->tag;
    event.error_code = stream->error_code;
    if (stream->outcome != EventKind::response) return true;
    event.status = stream->status;
    if (stream->text == nullptr) return true;
    event.retry_after = {stream->text->retry_after.data(), stream->retry_after_size};
    event.body = ByteView(stream->text->body).first(stream->body_size);
    return true;
}

void Streams::release_shown() {
    if (shown_ != nullptr) release(*std::exchange(shown_, nullptr));
}

Stream* Streams::find(int32_t id) {
    Stream* found = nullptr;
    pool_.for_each([&](Stream& stream) {
        if (stream.id == id && &stream != shown_) found = &stream;
    });
    return found;
}

void Streams::release(Stream& stream) {
    if (stream.text != nullptr) spare_texts_.push_back(std::move(stream.text));
    pool_.give_back(stream);
}

}  // namespace knuckle::http2
