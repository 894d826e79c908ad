// SPDX-License-Identifier: BSD-3-Clause
// IMM: headers and payloads, sparse and dense.
#include "host/readers/imm.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static Scratch file("a.imm");
    Choices choices(input);
    const SourceOptions options = source_options(choices);
    file.write(choices.rest());
    tolerate([&] { drain(*open_imm(file.path(), options), 4, 6); });
}

}  // namespace xpcs::fuzz
