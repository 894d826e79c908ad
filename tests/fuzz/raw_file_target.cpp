// SPDX-License-Identifier: BSD-3-Clause
// Any bytes under any of the names of raw files: which reader they get, and what it makes of them.
#include "tests/fuzz/fuzz.hpp"

#include <memory>
#include <vector>

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static const std::vector<std::string> names = {"r.bin",
                                                   "r.imm",
                                                   "r.ufxc",
                                                   "r.u8.ufxc",
                                                   "r.tpx",
                                                   "r.h5",
                                                   "r.dat",
                                                   "r_f0010_.bin.003",
                                                   "r.h5.002"};
    Choices choices(input);
    SourceOptions options = source_options(choices);
    Scratch file(names[choices.byte() % names.size()]);
    file.write(choices.rest());
    options.allow_missing_module = true;
    tolerate([&] { drain(*open_frame_source(file.path(), options), 512, 1024); });
}

}  // namespace xpcs::fuzz
