// SPDX-License-Identifier: BSD-3-Clause
// The HTTP library's server with a bound on how long a client may hold a thread. The library bounds
// the wait for each byte only, so that somebody who sends one now and then, or takes one, would
// keep a thread for ever; a hundred of them would keep all.
#pragma once

#include <httplib.h>

namespace xpcs::portal {

class HttpServer : public httplib::Server {
  public:
    /// Seconds from the first byte of a request to its last; and that an answer waits for the
    /// client before 64 KiB more of it are taken.
    double patience_s = 20;

  private:
    bool process_and_close_socket(socket_t socket) override;
};

}  // namespace xpcs::portal
