// SPDX-License-Identifier: BSD-3-Clause
// Rigaku word streams: one file, and the six of a 3M with the input cut into modules.
#include "host/readers/rigaku64.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace xpcs::fuzz {

void one_input(Bytes input) {
    Choices choices(input);
    const SourceOptions options = source_options(choices);
    const bool modules = choices.flag();
    const Bytes rest = choices.rest();
    if (!modules) {
        static Scratch file("a.bin");
        file.write(rest);
        tolerate([&] { drain(*open_rigaku64(file.path(), options), 512, 1024); });
        return;
    }
    static Scratch files[] = {Scratch("m.bin.000"),
                              Scratch("m.bin.001"),
                              Scratch("m.bin.002"),
                              Scratch("m.bin.003"),
                              Scratch("m.bin.004"),
                              Scratch("m.bin.005")};
    const std::size_t part = rest.size() / std::size(files) + 1;
    for (std::size_t i = 0; i < std::size(files); ++i) {
        const std::size_t at = std::min(i * part, rest.size());
        files[i].write(rest.subspan(at, std::min(part, rest.size() - at)));
    }
    tolerate([&] { drain(*open_rigaku3m(files[0].path(), options), 1676, 2100); });
}

}  // namespace xpcs::fuzz
