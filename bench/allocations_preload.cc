// SPDX-License-Identifier: GPL-3.0-or-later
// Loaded before a program that wants to know what it allocates: counts what each thread asks of the
// C library, `operator new` included. See meter.h.
#include <cerrno>
#include <cstddef>
#include <cstdint>

extern "C" {

// glibc's own names for what is wrapped here, so that nothing has to be looked up.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static thread_local uint64_t allocations = 0;

uint64_t knuckle_allocations() { return allocations; }

void* malloc(size_t size) noexcept {
    ++allocations;
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) noexcept {
    ++allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) noexcept {
    ++allocations;
    return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
    ++allocations;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
    ++allocations;
    *memory = __libc_memalign(alignment, size);
    return *memory != nullptr ? 0 : ENOMEM;
}
}
