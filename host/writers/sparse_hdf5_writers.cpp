// SPDX-License-Identifier: BSD-3-Clause
// Sparse layouts within HDF5: frame_ptr, index, intensity; and Rigaku fast transfer.
#include "host/h5.hpp"
#include "host/readers/ftf_unpack.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/writers/raw_writer.hpp"

#include <algorithm>

namespace xpcs {

namespace {

/// A list of numbers that grows at its end.
class GrowingList {
  public:
    GrowingList(hid_t file, const std::string& path) {
        h5::Storage storage;
        storage.filter = h5::Filter::gzip;
        storage.gzip_level = 1;
        storage.contiguous_below = 0;
        storage.chunk = {1 << 16};
        storage.max_shape = {H5S_UNLIMITED};
        dataset_ = h5::create_dataset(file, path, H5T_STD_U32LE, {0}, storage);
    }
    void append(const std::vector<std::uint32_t>& values) {
        if (values.empty()) return;
        h5::extend(dataset_, {n_ + values.size()});
        h5::write_slab(
            dataset_, h5::native_type<std::uint32_t>(), {n_}, {values.size()}, values.data());
        n_ += values.size();
    }
    void close() { dataset_.close(); }

  private:
    h5::Dataset dataset_;
    hsize_t n_ = 0;
};

constexpr const char* csr_group = "/entry_0000/measurement/data";

class SparseHdf5Writer final : public PhotonWriter {
  public:
    SparseHdf5Writer(const std::string& path, std::int64_t rows, std::int64_t cols)
        : file_(h5::create_file_over(path)), index_(file_.id(), csr_group + std::string("/index")),
          intensity_(file_.id(), csr_group + std::string("/intensity")) {
        const h5::Group group = h5::open_group(file_.id(), csr_group);
        h5::write_attribute(group.id(), "rows", rows);
        h5::write_attribute(group.id(), "cols", cols);
    }

    void add(std::span<const Photons> photons) override {
        pixel_.clear();
        count_.clear();
        for (const Photons& p : photons) {
            while (static_cast<std::int64_t>(begin_.size()) <= p.frame)
                begin_.push_back(n_);
            pixel_.push_back(p.pixel);
            count_.push_back(p.count);
            ++n_;
        }
        index_.append(pixel_);
        intensity_.append(count_);
    }

    void close(std::int64_t n_frames) override {
        begin_.resize(static_cast<std::size_t>(n_frames) + 1, n_);
        h5::Storage storage;
        storage.filter = h5::Filter::gzip;
        storage.gzip_level = 1;
        h5::write(file_.id(),
                  csr_group + std::string("/frame_ptr"),
                  begin_,
                  {static_cast<hsize_t>(begin_.size())},
                  storage);
        index_.close();
        intensity_.close();
        h5::flush(file_);
        file_.close();
    }

  private:
    h5::File file_;
    GrowingList index_, intensity_;
    std::vector<std::uint64_t> begin_;  ///< [frame] events before it
    std::uint64_t n_ = 0;
    std::vector<std::uint32_t> pixel_, count_;
};

class FtfWriter final : public PhotonWriter {
  public:
    FtfWriter(const std::string& path, std::int64_t n_frames, int bits)
        : unpack_{bits, false}, column_(static_cast<std::size_t>(ftf::column_bytes(bits))),
          file_(h5::create_file_over(path)) {
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = {column_.size(), 1};
        dataset_ = h5::create_dataset(file_.id(),
                                      "/entry/data/data",
                                      H5T_STD_U8LE,
                                      {column_.size(), static_cast<hsize_t>(n_frames)},
                                      storage);
    }

    void add(std::span<const Photons> photons) override {
        for (const Photons& p : photons) {
            if (p.frame != frame_) put_column();
            frame_ = p.frame;
            std::uint8_t& byte = column_[p.pixel / static_cast<unsigned>(unpack_.per_byte())];
            const int place = static_cast<int>(p.pixel) % unpack_.per_byte();
            byte = unpack_.with_count(byte, place, p.count);
        }
    }
    void close(std::int64_t) override {
        put_column();
        dataset_.close();
        h5::flush(file_);
        file_.close();
    }

  private:
    /// Columns without photons are never stored.
    void put_column() {
        if (frame_ < 0) return;
        h5::write_slab(dataset_,
                       h5::native_type<std::uint8_t>(),
                       {0, static_cast<hsize_t>(frame_)},
                       {column_.size(), 1},
                       column_.data());
        std::fill(column_.begin(), column_.end(), std::uint8_t{0});
    }

    ftf::Unpack unpack_;
    std::vector<std::uint8_t> column_;
    h5::File file_;
    h5::Dataset dataset_;
    std::int64_t frame_ = -1;
};

}  // namespace

std::unique_ptr<PhotonWriter>
sparse_hdf5_writer(const std::string& path, std::int64_t rows, std::int64_t cols) {
    return std::make_unique<SparseHdf5Writer>(path, rows, cols);
}

std::unique_ptr<PhotonWriter> ftf_writer(const std::string& path, std::int64_t n_frames, int bits) {
    return std::make_unique<FtfWriter>(path, n_frames, bits);
}

}  // namespace xpcs
