// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that was freed goes back to the system.
//
//     hasten_freed_memory();          once, as the process starts
//     give_back_freed_memory();       when much was freed and little will be asked for
//
// The allocator gives back on its own, but only while somebody frees, and 25 ms after that began;
// by default each piece puts it off by a millisecond more. What thousands of connections free when
// they leave together would so become due when nobody frees any more, and stay. The first call
// takes the putting off away, the second gives back what is left then: what the calling thread
// freed, and what ended threads left. It costs a system call for each stretch of pages: not for the
// path of a knock. Both do nothing where the allocator of the release build is not linked. Any
// thread.
#pragma once

namespace knuckle {

void hasten_freed_memory();
void give_back_freed_memory();

}  // namespace knuckle
