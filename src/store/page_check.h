// SPDX-License-Identifier: GPL-3.0-or-later
// Is this file sound enough to be given to LMDB? LMDB trusts its file: a wrong offset in a page
// ends in a segmentation fault, a wrong key in rows that are not found. So before it opens the
// file, check_pages() walks the tree and the list of free pages and believes nothing.
//
// It finds: a file that is no LMDB file, or holds another program's tables; a file that was cut
// off; pages that are not what they should be, do not hang together, are used twice, or whose rows
// lie outside of them or out of order. It cannot find a change inside a value (its seal does that,
// Lookup::damaged) nor one in a key that leaves the order as it is.
// Costs about 0.1 s for a million tokens and reads every page once, so it warms the page cache too.
// Source of the format: mdb.c of LMDB 0.9.31, MDB_DATA_VERSION 1, 64 bits, little endian.
// Errors: Errc::invalid (not ours), Errc::corrupt (damaged; detail: the page).  Pure function.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace knuckle::store {

// `file` is the whole of data.mdb.
Result<void> check_pages(ByteView file);

}  // namespace knuckle::store
