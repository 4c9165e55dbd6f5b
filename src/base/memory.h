// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that was freed goes back to the system.
//
//     give_back_freed_memory();       when much was freed and little will be asked for
//
// The allocator does that on its own only while somebody allocates, so a process that has become
// idle would keep what it last needed. It gives back what the calling thread freed, and what ended
// threads left. Costs a system call for each stretch of pages: not for the path of a knock. Does
// nothing where the allocator of the release build is not linked. Any thread.
#pragma once

namespace knuckle {

void give_back_freed_memory();

}  // namespace knuckle
