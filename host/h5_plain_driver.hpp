// SPDX-License-Identifier: BSD-3-Clause
// How files that are only read are read: pread(), nothing in between.
//
// The library's own driver has metadata gathered in a buffer, which is of use to writers. Up
// to 1.12 a read from the address that means "none" is taken for a neighbour of that buffer while
// it is empty, and copied from a null pointer; damaged files hold such addresses. With this driver
// the read fails like any other that leads out of the file. Damaged global heaps, on which the
// library would hang or read what is not there, fail to be read as well.
#pragma once

#include <hdf5.h>

#include <cstddef>

namespace xpcs::h5 {

/// Has files opened with this access list read plainly; later versions keep their own driver.
void read_plainly(hid_t access_list);
/// Whether the file of this object was opened so.
bool is_read_plainly(hid_t object);

/// While it lives, what this thread has read into `into` from such a file is not read: its place
/// is noted. Not nested.
class NotedRead {
  public:
    explicit NotedRead(const void* into);
    ~NotedRead();
    NotedRead(const NotedRead&) = delete;
    NotedRead& operator=(const NotedRead&) = delete;

    const void* into;
    haddr_t address = HADDR_UNDEF;  ///< in the file, user block included
    std::size_t bytes = 0;
};

}  // namespace xpcs::h5
