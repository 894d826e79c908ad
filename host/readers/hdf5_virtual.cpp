// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_virtual.hpp"

#include "host/errors.hpp"

#include <algorithm>
#include <filesystem>

namespace xpcs {

namespace {

struct Box {
    h5::Shape low, high;  ///< both inside
};

/// Bounds of a selection that fills them, else nothing.
std::optional<Box> box_of(const h5::Space& space, const h5::Shape& extent) {
    Box box{h5::Shape(extent.size()), h5::Shape(extent.size())};
    if (H5Sget_select_type(space.id()) == H5S_SEL_ALL) {
        for (std::size_t i = 0; i < extent.size(); ++i) {
            if (extent[i] == 0) return std::nullopt;
            box.high[i] = extent[i] - 1;
        }
        return box;
    }
    if (H5Sget_simple_extent_ndims(space.id()) != static_cast<int>(extent.size()) ||
        H5Sget_select_bounds(space.id(), box.low.data(), box.high.data()) < 0) {
        return std::nullopt;
    }
    std::uint64_t filled = 1;
    for (std::size_t i = 0; i < extent.size(); ++i)
        filled *= box.high[i] - box.low[i] + 1;
    const hssize_t selected = H5Sget_select_npoints(space.id());
    if (selected < 0 || static_cast<std::uint64_t>(selected) != filled) return std::nullopt;
    return box;
}

/// Everything but the frame axis is whole.
bool whole_frames(const Box& box, const h5::Shape& extent) {
    for (std::size_t i = 1; i < extent.size(); ++i) {
        if (box.low[i] != 0 || box.high[i] + 1 != extent[i]) return false;
    }
    return true;
}

template <class Get>
std::string text_of(const Get& get) {
    const ssize_t n = get(nullptr, 0);
    if (n < 0) return "";
    std::string text(static_cast<std::size_t>(n) + 1, '\0');
    get(text.data(), text.size());
    text.pop_back();
    return text;
}

h5::Shape extent_of(const h5::Space& space) {
    h5::Shape shape(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space.id()))));
    H5Sget_simple_extent_dims(space.id(), shape.data(), nullptr);
    return shape;
}

}  // namespace

std::optional<std::vector<VirtualPart>> virtual_parts(const h5::Dataset& dataset,
                                                      const std::string& path) {
    namespace fs = std::filesystem;
    const auto held = h5::lock();
    const h5::PropertyList storage(H5Dget_create_plist(dataset.id()));
    if (H5Pget_layout(storage.id()) != H5D_VIRTUAL) return std::nullopt;
    const auto refuse = [&](const std::string& why) {
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": virtual dataset " + why +
                        "; whole frames, one file after the other, expected");
    };
    const h5::Shape shape = h5::shape_of(dataset);
    std::size_t n = 0;
    if (H5Pget_virtual_count(storage.id(), &n) < 0) refuse("cannot be read");
    std::vector<VirtualPart> parts;
    for (std::size_t i = 0; i < n; ++i) {
        const h5::Space to(H5Pget_virtual_vspace(storage.id(), i));
        const h5::Space from(H5Pget_virtual_srcspace(storage.id(), i));
        VirtualPart part;
        part.file = text_of([&](char* text, std::size_t size) {
            return H5Pget_virtual_filename(storage.id(), i, text, size);
        });
        part.dataset = text_of([&](char* text, std::size_t size) {
            return H5Pget_virtual_dsetname(storage.id(), i, text, size);
        });
        const auto target = box_of(to, shape);
        if (!target || !whole_frames(*target, shape)) refuse("puts frames together from pieces");
        part.first = static_cast<std::int64_t>(target->low[0]);
        part.n_frames = static_cast<std::int64_t>(target->high[0] - target->low[0] + 1);
        // A selection of everything is stored without the source's extent.
        if (H5Sget_select_type(from.id()) != H5S_SEL_ALL) {
            const h5::Shape extent = extent_of(from);
            const auto source = extent.size() == shape.size() ? box_of(from, extent) : std::nullopt;
            if (!source || !whole_frames(*source, extent)) refuse("takes pieces of frames");
            if (source->high[0] - source->low[0] != target->high[0] - target->low[0]) {
                refuse("stretches its sources");
            }
            part.source_first = static_cast<std::int64_t>(source->low[0]);
        }
        part.file = part.file == "." ? path : (fs::path(path).parent_path() / part.file).string();
        parts.push_back(std::move(part));
    }
    std::sort(parts.begin(), parts.end(), [](const VirtualPart& a, const VirtualPart& b) {
        return a.first < b.first;
    });
    std::int64_t next = 0;
    for (const VirtualPart& part : parts) {
        if (part.first != next) refuse("has a gap or an overlap at frame " + std::to_string(next));
        next += part.n_frames;
    }
    if (parts.empty()) refuse("has no sources");
    return parts;
}

}  // namespace xpcs
