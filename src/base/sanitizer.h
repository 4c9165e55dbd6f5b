// SPDX-License-Identifier: GPL-3.0-or-later
// kIsSanitized: whether AddressSanitizer or ThreadSanitizer watches. What keeps memory for reuse
// does not do so then, because they know only of what malloc() and free() see.
#pragma once

namespace knuckle {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace knuckle
