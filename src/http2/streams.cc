// SPDX-License-Identifier: GPL-3.0-or-later
#include "http2/streams.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"

namespace knuckle::http2 {

void Stream::add_field(std::string_view name, std::string_view value) {
    if (has_head) return;
    if (name == ":status") {
        // The first field of every head, so it begins a new one: a final head replaces the interim
        // ones.
        status = static_cast<uint16_t>(parse_decimal(value).value_or(0));
        retry_after_size = 0;
    } else if (name == "retry-after" && value.size() <= kRetryAfterMax) {
        std::copy(value.begin(), value.end(), retry_after.begin());
        retry_after_size = static_cast<uint8_t>(value.size());
    }
}

Stream* Streams::open(uint64_t tag, ByteView body) {
    Stream* const stream = pool_.take(tag, body);
    if (stream != nullptr) ++open_count_;
    return stream;
}

void Streams::add_body(Stream& stream, ByteView bytes) {
    const size_t count = std::min(bytes.size(), kResponseBodyMax - stream.answer_size);
    if (count == 0) return;
    if (stream.answer == nullptr) {
        if (spare_answers_.empty()) spare_answers_.push_back(std::make_unique<ResponseBody>());
        stream.answer = std::move(spare_answers_.back());
        spare_answers_.pop_back();
    }
    copy_bytes(stream.answer->data() + stream.answer_size, bytes.first(count));
    stream.answer_size = static_cast<uint16_t>(stream.answer_size + count);
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
    if (stream->outcome == EventKind::response) {
        event.status = stream->status;
        event.retry_after = {stream->retry_after.data(), stream->retry_after_size};
        if (stream->answer != nullptr)
            event.body = ByteView(*stream->answer).first(stream->answer_size);
    }
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
    if (stream.answer != nullptr) spare_answers_.push_back(std::move(stream.answer));
    pool_.give_back(stream);
}

}  // namespace knuckle::http2
