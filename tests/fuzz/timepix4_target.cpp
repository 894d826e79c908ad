// SPDX-License-Identifier: BSD-3-Clause
// Raw Timepix4 streams (SPIDR4), one file or two of one run.
#include "host/readers/spidr4.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static Scratch first("a.tpx"), second("b.tpx");
    Choices choices(input);
    SourceOptions options = source_options(choices);
    const std::uint8_t kind = choices.byte();
    options.bin_time_s = (kind & 1) != 0 ? 1e-3 : 25e-9;
    const Bytes rest = choices.rest();
    const std::size_t cut = (kind & 2) != 0 ? rest.size() / 2 : rest.size();
    first.write(rest.first(cut));
    if (cut < rest.size()) options.more_files = {second.write(rest.subspan(cut))};
    tolerate([&] { drain(*open_spidr4(first.path(), options), 512, 448); });
}

}  // namespace xpcs::fuzz
