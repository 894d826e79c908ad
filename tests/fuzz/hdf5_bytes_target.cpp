// SPDX-License-Identifier: BSD-3-Clause
// HDF5 files with damaged bytes. libhdf5 itself may fall over these (docs/reliability.md): what
// script/fuzz counts as a finding of ours has none of its functions on top of the stack.
#include "tests/fuzz/hdf5_files.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static Scratch file("b.h5"), module_file("b.h5.003");
    Choices choices(input);
    SourceOptions options = source_options(choices);
    options.allow_missing_module = true;
    if (choices.flag()) {
        module_file.write(choices.rest());
        tolerate([&] { drain(*open_frame_source(module_file.path(), options), 1676, 2100); });
        return;
    }
    read_as_everything(file.write(choices.rest()), options);
}

}  // namespace xpcs::fuzz
