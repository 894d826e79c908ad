// SPDX-License-Identifier: BSD-3-Clause
// Sound HDF5 files with strange content: the input is a recipe of datasets, attributes and links
// under the names that the readers look for, with types, shapes and values of its choice.
#include "host/h5.hpp"
#include "tests/fuzz/hdf5_files.hpp"

#include <unistd.h>

#include <vector>

namespace xpcs::fuzz {

namespace {

const char* const names[] = {"/entry/data/data",
                             "/entry/data/data_000001",
                             "/entry/data/channel",
                             "/entry/data/frame_ptr",
                             "/entry/data/index",
                             "/entry/data/intensity",
                             "/entry_0000/measurement/data",
                             "/qmap/mask",
                             "/qmap/blemish",
                             "/qmap/dynamic_roi_map",
                             "/qmap/static_roi_map",
                             "/qmap/dynamic_num_pts",
                             "/qmap/static_num_pts",
                             "/qmap/dynamic_v_list_dim0",
                             "/qmap/dynamic_v_list_dim1",
                             "/qmap/static_v_list_dim0",
                             "/qmap/static_v_list_dim1",
                             "/qmap/dynamic_index_mapping",
                             "/qmap/static_index_mapping",
                             "/qmap/map_names",
                             "/qmap/map_units",
                             "/qmap/beam_center_x",
                             "/qmap/pixel_size",
                             "/qmap/energy",
                             "/qmap/source_file",
                             "/qmap",
                             "/entry",
                             "/entry/schema_version",
                             "/entry/start_time",
                             "/entry/instrument/detector_1/frame_time",
                             "/entry/instrument/detector_1/count_time",
                             "/entry/instrument/detector_1/x_pixel_size",
                             "/entry/instrument/incident_beam/incident_energy",
                             "/xpcs/multitau/delay_list",
                             "/xpcs/multitau/normalized_g2",
                             "/xpcs/multitau/normalized_g2_err",
                             "/xpcs/multitau/config/stride_frame",
                             "/xpcs/multitau/config/avg_frame",
                             "/xpcs/multitau/normalized_g2_partial",
                             "/xpcs/twotime/correlation_map/c2_00001",
                             "/xpcs/twotime/normalized_g2",
                             "/xpcs/twotime/processed_bins",
                             "/xpcs/temporal_mean/scattering_1d",
                             "/xpcs/temporal_mean/scattering_2d",
                             "/xpcs/temporal_mean/scattering_1d_segments",
                             "/xpcs/spatial_mean/intensity_vs_time",
                             "/xpcs/qmap/dynamic_roi_map",
                             "/xpcs/qmap/static_roi_map",
                             "/xpcs/qmap/mask",
                             "/exchange/norm-0-g2",
                             "/exchange/tau",
                             "/exchange/C2T_all/g2_00001",
                             "/data/dynamicMap",
                             "/data/staticMap",
                             "/data/mask",
                             "/data/dqval",
                             "/qmap/dqmap"};

class Cook {
  public:
    Cook(Choices& choices, hid_t file) : choices_(choices), file_(file) {}

    void step() {
        const std::string name = names[choices_.byte() % std::size(names)];
        switch (choices_.byte() % 8) {
        case 0:
        case 1:
        case 2:
        case 3:
            return dataset(name);
        case 4:
            return text(name);
        case 5:
            return link(name);
        case 6:
            return attribute(name);
        default:
            h5::require_group(file_, name);
        }
    }

  private:
    h5::Shape shape() {
        h5::Shape shape(choices_.byte() % 5);
        for (hsize_t& extent : shape) {
            const std::uint8_t size = choices_.byte();
            extent = size < 250 ? size % 20 : std::uint64_t{1} << (8 * (size - 249) - 1);
        }
        return shape;
    }

    hid_t type() {
        const hid_t types[] = {H5T_STD_U8LE,
                               H5T_STD_U16LE,
                               H5T_STD_U32LE,
                               H5T_STD_U64LE,
                               H5T_STD_I8LE,
                               H5T_STD_I16LE,
                               H5T_STD_I32LE,
                               H5T_STD_I64LE,
                               H5T_IEEE_F32LE,
                               H5T_IEEE_F64LE,
                               H5T_STD_U16BE,
                               H5T_STD_REF_OBJ};
        return types[choices_.byte() % std::size(types)];
    }

    void dataset(const std::string& name) {
        const h5::Shape extent = shape();
        std::uint64_t n = 1;
        bool huge = false;
        for (const hsize_t size : extent) {
            huge = huge || size > 1000;
            n *= huge ? 1 : size;
        }
        h5::Storage storage;
        const std::uint8_t how = choices_.byte();
        if (huge || (how & 1) != 0) {
            storage.contiguous_below = 0;
            storage.filter = static_cast<h5::Filter>(how / 2 % 3);
            for (const hsize_t size : extent)
                storage.chunk.push_back(std::clamp<hsize_t>(how / 8 % 32, 1, size + 1));
            if (std::find(extent.begin(), extent.end(), hsize_t{0}) != extent.end()) return;
            for (std::size_t i = 0; i < extent.size(); ++i)
                storage.chunk[i] = std::min(storage.chunk[i], extent[i]);
        }
        const h5::Dataset made = h5::create_dataset(file_, name, type(), extent, storage);
        if (huge || n == 0 || n > 200'000) return;
        std::vector<double> values(n);
        const std::uint8_t pattern = choices_.byte();
        for (std::size_t i = 0; i < n; ++i) {
            values[i] = (pattern & 1) != 0 && i < 64
                            ? static_cast<double>(choices_.number<std::int16_t>())
                            : static_cast<double>(i % (1U + pattern / 2U));
        }
        if ((pattern & 2) != 0 && n > 0) values[n - 1] = 1e300 * 1e300;
        h5::write_all(made, H5T_NATIVE_DOUBLE, values.data());
    }

    void text(const std::string& name) {
        std::vector<std::string> texts(choices_.byte() % 4);
        for (std::string& one : texts)
            one = choices_.word(30);
        if (texts.size() == 1) {
            h5::write_string(file_, name, texts.front());
        } else {
            h5::write_strings(file_, name, texts);
        }
    }

    void link(const std::string& name) {
        const std::string target = names[choices_.byte() % std::size(names)];
        const std::size_t at = name.find_last_of('/');
        h5::require_group(file_, at == 0 ? "/" : name.substr(0, at));
        const hid_t list = H5P_DEFAULT;
        switch (choices_.byte() % 5) {
        case 0:
            H5Lcreate_soft(target.c_str(), file_, name.c_str(), list, list);
            break;
        case 1:
            H5Lcreate_external("r.h5", target.c_str(), file_, name.c_str(), list, list);
            break;
        case 2:
            H5Lcreate_external("other.h5", target.c_str(), file_, name.c_str(), list, list);
            break;
        case 3:
            H5Lcreate_hard(file_, "/", file_, name.c_str(), list, list);
            break;
        default:
            H5Lcreate_hard(file_, target.c_str(), file_, name.c_str(), list, list);
        }
    }

    void attribute(const std::string& name) {
        static const char* const attributes[] = {
            "hash", "version", "rows", "cols", "units", "default_slice", "program"};
        if (!h5::exists(file_, name)) return;
        const h5::Object object = h5::open_object(file_, name);
        const char* attribute_name = attributes[choices_.byte() % std::size(attributes)];
        if (choices_.flag()) {
            h5::write_attribute(object.id(), attribute_name, choices_.word(30));
        } else {
            h5::write_attribute(
                object.id(), attribute_name, static_cast<double>(choices_.number<std::int32_t>()));
        }
    }

    Choices& choices_;
    hid_t file_;
};

}  // namespace

void one_input(Bytes input) {
    static Scratch file("r.h5");
    Choices choices(input);
    SourceOptions options = source_options(choices);
    ::unlink(file.path().c_str());
    {
        const h5::File made = h5::create_file(file.path());
        Cook cook(choices, made.id());
        for (int step = 0; step < 60 && !choices.at_end(); ++step) {
            try {
                cook.step();
            } catch (const Error&) {
                continue;  // a name that is taken, a chunk that HDF5 refuses
            }
        }
        H5Eclear2(H5E_DEFAULT);
    }
    read_as_everything(file.path(), options);
}

}  // namespace xpcs::fuzz
