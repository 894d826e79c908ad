// SPDX-License-Identifier: BSD-3-Clause
// fuzz_seeds DIRECTORY: small sound inputs of the binary formats, DIRECTORY/TARGET/NAME. Those of
// the texts, and what was found before, lie in tests/fuzz/seeds.
#include "host/h5.hpp"
#include "host/log.hpp"
#include "host/result_file.hpp"
#include "host/simulate.hpp"
#include "tests/host/result_fixture.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>

namespace xpcs::testing {
namespace {

namespace fs = std::filesystem;

class Seeds {
  public:
    explicit Seeds(std::string directory) : directory_(std::move(directory)) {}

    void add(const std::string& target, const std::string& name, const std::string& bytes) {
        fs::create_directories(directory_ + "/" + target);
        std::ofstream out(directory_ + "/" + target + "/" + name, std::ios::binary);
        out << bytes;
        if (!out.flush()) throw std::runtime_error("cannot write to " + directory_);
    }
    /// The first `most` bytes of a file behind the bytes that choose options.
    void add_file(const std::string& target,
                  const std::string& choices,
                  const std::string& path,
                  std::size_t most = std::size_t{1} << 20) {
        std::ifstream in(path, std::ios::binary);
        std::string bytes{std::istreambuf_iterator<char>(in), {}};
        bytes.resize(std::min(bytes.size(), most));
        add(target, fs::path(path).filename().string() + std::to_string(n_++), choices + bytes);
    }

  private:
    std::string directory_;
    int n_ = 0;
};

std::string zeros(std::size_t n, char last = 0) {
    std::string out(n, '\0');
    out.back() = last;
    return out;
}

SimulateReport made(const TempDir& dir, SimulateFormat format, const std::string& name) {
    SimulateOptions options;
    options.format = format;
    options.output = dir.file(name);
    options.n_frames = 12;
    options.rows = options.cols = 8;
    options.occupancy = 0.2;
    options.compression = SimulateCompression::none;
    options.threads = 1;
    options.overwrite = true;  // the metadata of another format under the same stem
    if (format == SimulateFormat::rigaku3m || format == SimulateFormat::ftf) {
        options.rows = 1676;
        options.cols = 2100;
        options.occupancy = 2e-6;
    }
    if (format == SimulateFormat::ufxc) {
        options.rows = 128;
        options.cols = 256;
        options.occupancy = 1e-3;
    }
    if (format == SimulateFormat::timepix4) {
        options.rows = 512;
        options.cols = 448;
        options.occupancy = 2e-4;
    }
    return simulate(options);
}

void raw_seeds(Seeds& seeds, const TempDir& dir) {
    using F = SimulateFormat;
    const auto first = [&](F format, const char* name) {
        return made(dir, format, name).raw_files.front();
    };
    const std::string words = first(F::rigaku, "a.bin");
    seeds.add_file("rigaku", zeros(3), words);
    seeds.add_file("raw_file", zeros(3), words);
    std::string six;
    for (const std::string& file : made(dir, F::rigaku3m, "m.bin").raw_files) {
        std::ifstream in(file, std::ios::binary);
        six.append(std::istreambuf_iterator<char>(in), {});
    }
    seeds.add("rigaku", "six", zeros(3, 1) + six);
    const std::string imm = first(F::imm, "a.imm");
    seeds.add_file("imm", zeros(2), imm);
    seeds.add_file("raw_file", zeros(3, 1), imm);
    seeds.add_file("imm", zeros(2), first(F::imm_dense, "d.imm"));
    const std::string ufxc = first(F::ufxc, "a.ufxc");
    seeds.add_file("ufxc", zeros(3), ufxc);
    seeds.add_file("raw_file", zeros(3, 2), ufxc);
    seeds.add("ufxc", "dump", zeros(3, 1) + std::string(128 * 256, 1));
    const std::string stream = first(F::timepix4, "a.tpx");
    seeds.add_file("timepix4", zeros(3), stream);
    seeds.add_file("timepix4", zeros(3, 3), stream);
    seeds.add_file("raw_file", zeros(3, 4), stream);
}

void hdf5_seeds(Seeds& seeds, const TempDir& dir) {
    using F = SimulateFormat;
    const std::string dense = made(dir, F::hdf5, "a.h5").raw_files.front();
    seeds.add_file("hdf5_bytes", zeros(3), dense);
    seeds.add_file("raw_file", zeros(3, 5), dense);
    seeds.add_file("hdf5_bytes", zeros(3), made(dir, F::hdf5_sparse, "s.h5").raw_files.front());
    seeds.add_file("hdf5_bytes", zeros(3), made(dir, F::dectris, "d.h5").raw_files.front());
    seeds.add_file("hdf5_bytes", zeros(3), made(dir, F::dectris4d, "v.h5").raw_files.front());
    {
        const h5::File file = h5::create_file(dir.file("z.h5"));
        h5::Storage storage;
        storage.filter = h5::Filter::gzip;
        storage.contiguous_below = 0;
        storage.chunk = {2, 3, 4};
        h5::write(file.id(),
                  "/entry/data/data",
                  std::vector<std::uint16_t>(5 * 6 * 7, 3),
                  {5, 6, 7},
                  storage);
    }
    seeds.add_file("hdf5_bytes", zeros(3), dir.file("z.h5"));
    {
        const h5::File file = h5::create_file(dir.file("f.h5"));
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = {131072, 1};
        h5::create_dataset(file.id(), "/entry/data/data", H5T_STD_U8LE, {131072, 4}, storage);
    }
    seeds.add_file("hdf5_bytes", zeros(3, 1), dir.file("f.h5"));
    save_qmap(made_up_qmap(8, 12), dir.file("q.hdf"), true);
    seeds.add_file("hdf5_bytes", zeros(3), dir.file("q.hdf"));
    write_made_up_metadata(dir.file("m.hdf"), 1e-3);
    seeds.add_file("hdf5_bytes", zeros(3), dir.file("m.hdf"));
    const RunResult result = made_up_result(dir, 20);
    ResultFile file(result.config, "run", result.metadata.file);
    file.write(result);
    seeds.add_file("hdf5_bytes", zeros(3), file.commit());
    for (int k = 0; k < 40; ++k) {
        std::mt19937 random(static_cast<unsigned>(k));
        std::string recipe(200, '\0');
        for (char& c : recipe)
            c = static_cast<char>(random());
        seeds.add("hdf5_recipe", "random" + std::to_string(k), recipe);
    }
}

void codec_seeds(Seeds& seeds) {
    // LZ4 as HDF5 stores it: sizes in big-endian, then blocks that are stored as they are.
    const std::string stored("\0\0\0\0\0\0\0\x10\0\0\0\x10\0\0\0\x10"
                             "0123456789abcdef",
                             32);
    for (char id = 0; id < 7; ++id) {
        seeds.add("chunk_codec",
                  "stored" + std::to_string(static_cast<int>(id)),
                  std::string(1, id) + std::string("\0\0\x10\0\0", 5) + stored);
        const std::string parameters("\0\0\x04\0\0\0\x03\0\x01\x20\0\0\x02", 13);
        seeds.add("chunk_codec",
                  "parameters" + std::to_string(static_cast<int>(id)),
                  std::string(1, static_cast<char>(id | 0x80)) + parameters + stored);
    }
}

}  // namespace
}  // namespace xpcs::testing

int main(int argc, char** argv) {
    if (argc != 2) return 64;
    using namespace xpcs::testing;
    xpcs::Log::set_sink([](const std::string&) {});
    try {
        Seeds seeds(argv[1]);
        const TempDir dir;
        raw_seeds(seeds, dir);
        hdf5_seeds(seeds, dir);
        codec_seeds(seeds);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fuzz_seeds: %s\n", error.what());
        return 70;
    }
    return 0;
}
