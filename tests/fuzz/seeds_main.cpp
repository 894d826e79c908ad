// SPDX-License-Identifier: BSD-3-Clause
// For builds without libFuzzer: the target on every file of the directories that are named. With
// --mutate SECONDS then on random alterations of them, which knows nothing of coverage, but works
// with any compiler; --seed N has the same alterations again.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

Input read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    return {bytes.begin(), bytes.end()};
}

class Mutator {
  public:
    Mutator(const std::vector<Input>& inputs, std::uint64_t seed)
        : inputs_(inputs), random_(seed) {}

    Input next() {
        Input input = inputs_[below(inputs_.size())];
        for (std::size_t n = 1 + below(8); n > 0; --n)
            alter(input);
        return input;
    }

  private:
    std::size_t below(std::size_t n) {
        return n == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
    }
    void alter(Input& input) {
        const std::size_t at = below(input.size()), n = 1 + below(16);
        const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
        const auto end =
            input.begin() + static_cast<std::ptrdiff_t>(std::min(at + n, input.size()));
        switch (below(7)) {
        case 0:
            if (!input.empty()) *place ^= static_cast<std::uint8_t>(1U << below(8));
            break;
        case 1:
            if (!input.empty()) *place = static_cast<std::uint8_t>(below(256));
            break;
        case 2:
            input.erase(place, end);
            break;
        case 3:
            input.insert(place, n, static_cast<std::uint8_t>(below(256)));
            break;
        case 4: {  // something of another input, or the same piece again
            const Input& other = inputs_[below(inputs_.size())];
            const std::size_t from = below(other.size());
            const std::size_t size = std::min(other.size() - from, 1 + below(64));
            const Input piece(other.begin() + static_cast<std::ptrdiff_t>(from),
                              other.begin() + static_cast<std::ptrdiff_t>(from + size));
            input.insert(place, piece.begin(), piece.end());
            break;
        }
        case 5: {  // numbers at their limits
            static constexpr std::uint64_t limits[] = {
                0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, ~0ULL, 1ULL << 63};
            const std::uint64_t value = limits[below(std::size(limits))];
            std::memcpy(input.data() + at,
                        &value,
                        std::min<std::size_t>(std::size_t{1} << below(4), input.size() - at));
            break;
        }
        default:
            input.resize(at);
        }
    }

    const std::vector<Input>& inputs_;
    std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
    LLVMFuzzerInitialize(&argc, &argv);
    double seconds = 0;
    std::uint64_t seed = std::random_device{}();
    std::vector<Input> inputs;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--mutate") == 0 && i + 1 < argc) {
            seconds = std::atof(argv[++i]);
        } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (std::filesystem::is_directory(argv[i])) {
            for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
                std::printf("%s\n", entry.path().c_str());
                std::fflush(stdout);
                inputs.push_back(read(entry.path()));
                LLVMFuzzerTestOneInput(inputs.back().data(), inputs.back().size());
            }
        }
    }
    std::printf("%zu inputs\n", inputs.size());
    if (inputs.empty()) return 1;
    if (seconds <= 0) return 0;

    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    Mutator mutator(inputs, seed);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    long long n = 0;
    // What fells the program is in this file, if it names one.
    const char* last = std::getenv("XPCS_FUZZ_LAST");
    for (; std::chrono::steady_clock::now() < end; ++n) {
        const Input input = mutator.next();
        if (last != nullptr) {
            std::ofstream(last, std::ios::binary)
                .write(reinterpret_cast<const char*>(input.data()),
                       static_cast<std::streamsize>(input.size()));
        }
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%lld alterations\n", n);
    return 0;
}
