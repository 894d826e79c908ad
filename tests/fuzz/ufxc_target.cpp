// SPDX-License-Identifier: BSD-3-Clause
// UFXC: streams of 32-bit words and the dense dumps of 2015.
#include "host/readers/ufxc.hpp"
#include "host/readers/ufxc_dense.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static Scratch file("a.ufxc");
    Choices choices(input);
    const SourceOptions options = source_options(choices);
    const std::uint8_t kind = choices.byte() % 4;
    file.write(choices.rest());
    tolerate([&] {
        const auto source = kind == 1   ? open_ufxc_dense(file.path(), 1, options)
                            : kind == 2 ? open_ufxc_dense(file.path(), 2, options)
                                        : open_ufxc(file.path(), options);
        drain(*source, 128, 256);
    });
}

}  // namespace xpcs::fuzz
