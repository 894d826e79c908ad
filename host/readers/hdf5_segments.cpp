// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_segments.hpp"

#include "host/errors.hpp"
#include "host/readers/hdf5_filters.hpp"
#include "host/readers/hdf5_virtual.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

constexpr const char* default_dataset = "/entry/data/data";
constexpr const char* default_group = "/entry/data";
constexpr const char* lima_data = "/entry_0000/measurement/data";
constexpr std::uint64_t largest_frame_bytes = std::uint64_t{1} << 30;

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : ", ") + word;
    return out;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Numbers in names count as numbers: data_2 comes before data_10, whether zeros lead them or not.
bool comes_before(const std::string& a, const std::string& b) {
    const auto number = [](const std::string& text, std::size_t& at) {
        const std::size_t first = std::min(text.find_first_not_of('0', at), text.size());
        while (at < text.size() && is_digit(text[at]))
            ++at;
        const std::size_t start = std::min(first, at);
        return std::pair(at - start, text.substr(start, at - start));  // longer is larger
    };
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (is_digit(a[i]) && is_digit(b[j])) {
            const auto of_a = number(a, i), of_b = number(b, j);
            if (of_a != of_b) return of_a < of_b;
        } else if (a[i] != b[j]) {
            return a[i] < b[j];
        } else {
            ++i;
            ++j;
        }
    }
    return std::pair(a.size() - i, a) < std::pair(b.size() - j, b);
}

/// 3-D and 4-D datasets below a group, for messages.
void list_candidates(hid_t file,
                     const std::string& path,
                     int depth,
                     std::size_t& visited,
                     std::vector<std::string>& found) {
    constexpr int deepest = 6;
    constexpr std::size_t most = 20, most_members = 100'000;  // links may lead back up
    if (depth > deepest) return;
    for (const h5::Child& child : h5::children(file, path)) {
        if (found.size() >= most || ++visited > most_members) return;
        const std::string below = (path == "/" ? "" : path) + "/" + child.name;
        if (child.kind == h5::Kind::group) list_candidates(file, below, depth + 1, visited, found);
        if (child.kind != h5::Kind::dataset) continue;
        const h5::Shape shape = h5::shape_of(h5::open_dataset(file, below));
        if (shape.size() == 3 || shape.size() == 4)
            found.push_back(below + " " + h5::to_string(shape));
    }
}

[[noreturn]] void
no_frames(const h5::File& file, const std::string& path, const std::string& dataset) {
    std::vector<std::string> found;
    std::size_t visited = 0;
    list_candidates(file.id(), "/", 0, visited, found);
    std::string text = path + ": no dataset " + dataset + "; ";
    if (found.empty()) throw Error(ExitCode::data, text + "there is no 3-D dataset in the file");
    throw Error(ExitCode::data,
                text + "3-D datasets found (choose with --dataset): " + joined(found));
}

/// 1, 2 or 4; anything but an unsigned integer of that width is refused by name.
int sample_bytes_of(const h5::Dataset& dataset, bool& native_order) {
    const h5::Type type = h5::type_of(dataset);
    const auto held = h5::lock();
    const std::size_t bytes = H5Tget_size(type.id());
    const bool unsigned_integer =
        H5Tget_class(type.id()) == H5T_INTEGER && H5Tget_sign(type.id()) == H5T_SGN_NONE;
    const bool whole = unsigned_integer && H5Tget_precision(type.id()) == 8 * bytes;
    if (!whole || (bytes != 1 && bytes != 2 && bytes != 4)) {
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": samples are " + h5::type_name(type.id()) +
                        "; uint8, uint16 or uint32 expected");
    }
    native_order = bytes == 1 || H5Tget_order(type.id()) == H5T_ORDER_LE;
    return static_cast<int>(bytes);
}

[[noreturn]] void wrong_rank(const h5::Dataset& dataset, const h5::Shape& shape) {
    std::string text = h5::name_of(dataset.id()) + ": has " + std::to_string(shape.size()) +
                       " dimensions " + h5::to_string(shape) + ", 3 (frame, row, column) expected";
    constexpr hsize_t packed_module = 131072;
    if (shape.size() == 2 && shape[0] == packed_module) {
        text += ": this looks like Rigaku fast transfer, whose files are named .h5.000 to .h5.005";
    } else if (shape.size() == 2) {
        text += ": one frame has no dynamics";
    }
    throw Error(ExitCode::data, text);
}

/// Strings of an attribute of any shape; empty if there is none or it holds no strings.
std::vector<std::string> strings_of(hid_t object, const char* name) {
    const auto held = h5::lock();
    if (H5Aexists(object, name) <= 0) return {};
    const h5::Attribute attribute(H5Aopen(object, name, H5P_DEFAULT));
    const h5::Type type(H5Aget_type(attribute.id()));
    const h5::Space space(H5Aget_space(attribute.id()));
    const hssize_t n = H5Sget_simple_extent_npoints(space.id());
    if (H5Tget_class(type.id()) != H5T_STRING || n < 1 || n > 16) return {};
    std::vector<std::string> out;
    if (H5Tis_variable_str(type.id()) > 0) {
        std::vector<char*> texts(static_cast<std::size_t>(n), nullptr);
        if (H5Aread(attribute.id(), type.id(), texts.data()) < 0) return {};
        for (char* text : texts) {
            out.emplace_back(text == nullptr ? "" : text);
            if (text != nullptr) H5free_memory(text);
        }
        return out;
    }
    const std::size_t width = H5Tget_size(type.id());
    std::string bytes(width * static_cast<std::size_t>(n), '\0');
    if (H5Aread(attribute.id(), type.id(), bytes.data()) < 0) return {};
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
        out.emplace_back(bytes.substr(i * width, width).c_str());
    }
    return out;
}

std::string parent_of(const std::string& path) {
    const std::size_t at = path.find_last_of('/');
    return at == 0 || at == std::string::npos ? "/" : path.substr(0, at);
}

/// The entry for the channel axis of @default_slice: ". threshold_1 . ." in one of the ways it is
/// written.
std::string default_channel(hid_t file, const std::string& dataset) {
    std::vector<std::string> slice =
        strings_of(h5::open_object(file, dataset).id(), "default_slice");
    if (slice.empty()) {
        slice = strings_of(h5::open_object(file, parent_of(dataset)).id(), "default_slice");
    }
    if (slice.size() == 1) {
        std::vector<std::string> parts;
        std::string part;
        for (const char c : slice.front() + ",") {
            if (c == ',' || c == ' ' || c == '[' || c == ']' || c == '"' || c == '\'') {
                if (!part.empty()) parts.push_back(part);
                part.clear();
            } else {
                part += c;
            }
        }
        slice = parts;
    }
    const std::string word = slice.size() == 1 ? slice[0] : slice.size() >= 2 ? slice[1] : "";
    return word == "." || word == ":" ? "" : word;
}

std::int64_t
choose_channel(hid_t file, const std::string& dataset, std::int64_t n, const std::string& asked) {
    const std::string names_path =
        (parent_of(dataset) == "/" ? "" : parent_of(dataset)) + "/channel";
    std::vector<std::string> names;
    if (h5::is_dataset(file, names_path)) names = h5::read_strings(file, names_path, 1000);
    const std::string wanted = !asked.empty() ? asked : default_channel(file, dataset);
    if (wanted.empty() && n == 1) return 0;
    const auto named = std::find(names.begin(), names.end(), wanted);
    if (!wanted.empty() && named != names.end() && named - names.begin() < n) {
        return named - names.begin();
    }
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
    if (error == std::errc() && end == wanted.data() + wanted.size() && number >= 0 && number < n) {
        return number;
    }
    throw Error(ExitCode::data,
                h5::name_of(file, dataset) + ": has 4 dimensions " +
                    h5::to_string(h5::shape_of(h5::open_dataset(file, dataset))) + " with " +
                    std::to_string(n) + " channels" +
                    (names.empty() ? "" : " (" + joined(names) + ")") +
                    (wanted.empty() ? ", and no default_slice says which is meant"
                                    : "; there is no channel '" + wanted + "'") +
                    "; --channel NAME chooses");
}

class Finder {
  public:
    Finder(const SourceOptions& options, SourceInfo& info) : options_(options), info_(info) {}

    void add_file(const std::string& path) {
        const h5::File file = h5::open_file(path);
        if (!options_.dataset.empty()) {
            if (!h5::exists(file.id(), options_.dataset)) no_frames(file, path, options_.dataset);
            if (h5::is_group(file.id(), options_.dataset))
                return add_group(file, path, options_.dataset);
            return add_dataset(file, path, options_.dataset);
        }
        if (h5::is_dataset(file.id(), default_dataset))
            return add_dataset(file, path, default_dataset);
        if (h5::is_group(file.id(), default_group)) return add_group(file, path, default_group);
        if (h5::is_dataset(file.id(), lima_data)) return add_dataset(file, path, lima_data);
        no_frames(file, path, default_dataset);
    }

    std::vector<FrameSegment> take() { return std::move(segments_); }

  private:
    /// Every dataset of frames in a group in order of name, as far as the links lead somewhere.
    void add_group(const h5::File& file, const std::string& path, const std::string& group) {
        std::int64_t used = 0, dangling = 0, beyond = 0;
        const std::size_t before = segments_.size();
        std::vector<h5::Child> members = h5::children(file.id(), group);
        std::sort(members.begin(), members.end(), [](const h5::Child& a, const h5::Child& b) {
            return comes_before(a.name, b.name);
        });
        for (const h5::Child& child : members) {
            const std::string name = group + "/" + child.name;
            if (child.kind == h5::Kind::dangling) {
                ++dangling;
                continue;
            }
            if (child.kind != h5::Kind::dataset) continue;
            const std::size_t rank = h5::shape_of(h5::open_dataset(file.id(), name)).size();
            if (rank != 3 && rank != 4) continue;
            if (dangling > 0) {
                ++beyond;  // its place in time is not known
                continue;
            }
            add_dataset(file, path, name);
            ++used;
        }
        if (dangling > 0) {
            std::int64_t frames = 0;
            for (std::size_t i = before; i < segments_.size(); ++i)
                frames += segments_[i].n_frames;
            info_.warnings.push_back(
                path + ": " + std::to_string(dangling) + " links of " + group +
                " lead to no file below its directory; " + std::to_string(frames) + " frames of " +
                std::to_string(used) + " files before them are used" +
                (beyond > 0 ? ", " + std::to_string(beyond) + " files after them are not" : ""));
        }
        if (used == 0) no_frames(file, path, group + "/data");
    }

    void add_dataset(const h5::File& file, const std::string& path, const std::string& name) {
        const h5::Dataset dataset = h5::open_dataset(file.id(), name);
        const h5::Shape shape = h5::shape_of(dataset);
        if (shape.size() != 3 && shape.size() != 4) wrong_rank(dataset, shape);
        FrameSegment segment;
        segment.file = path;
        segment.dataset = name;
        if (shape.size() == 4) {
            segment.channel = choose_channel(
                file.id(), name, static_cast<std::int64_t>(shape[1]), options_.channel);
        } else if (!options_.channel.empty() && segments_.empty()) {
            info_.warnings.push_back(path + ": " + name + ": has no channels; --channel " +
                                     options_.channel + " has no effect");
        }
        describe(dataset, shape, segment);
        if (const auto parts = virtual_parts(dataset, path)) {
            return add_virtual(*parts, segment);
        }
        append(dataset, std::move(segment));
    }

    void describe(const h5::Dataset& dataset, const h5::Shape& shape, FrameSegment& segment) {
        bool native_order = true;
        segment.sample_bytes = sample_bytes_of(dataset, native_order);
        const std::uint64_t rows = shape[shape.size() - 2], cols = shape.back();
        const std::uint64_t most =
            largest_frame_bytes / static_cast<unsigned>(segment.sample_bytes);
        if (rows == 0 || cols == 0 || rows > most || cols > most || rows * cols > most) {
            throw Error(ExitCode::data,
                        h5::name_of(dataset.id()) + ": shape " + h5::to_string(shape) +
                            "; frames of 1 byte to 1 GiB allowed");
        }
        constexpr std::uint64_t most_frames = std::uint64_t{1} << 40;
        if (shape[0] == 0 || shape[0] > most_frames) {
            throw Error(ExitCode::data,
                        h5::name_of(dataset.id()) + ": shape " + h5::to_string(shape) +
                            ": 1 to 2^40 frames expected");
        }
        segment.rows = static_cast<std::int64_t>(rows);
        segment.cols = static_cast<std::int64_t>(cols);
        segment.n_frames = static_cast<std::int64_t>(shape[0]);
        segment.chunk = h5::chunk_of(dataset);
        segment.native_order = native_order;
        choose_pipeline(dataset, native_order, segment);
        require_sensible_chunks(dataset, segment);
        if (segment.chunk.size() == 4) segment.chunk.erase(segment.chunk.begin() + 1);
    }

    /// Chunks of a few pixels would cost more memory and time for their places than for their
    /// content.
    static void require_sensible_chunks(const h5::Dataset& dataset, const FrameSegment& segment) {
        constexpr std::uint64_t most = 1 << 16;
        if (segment.chunk.empty()) return;
        const std::uint64_t high = segment.chunk[segment.chunk.size() - 2];
        const std::uint64_t wide = segment.chunk.back();
        const auto rows = static_cast<std::uint64_t>(segment.rows);
        const auto cols = static_cast<std::uint64_t>(segment.cols);
        const std::uint64_t down = (rows - 1) / high + 1, across = (cols - 1) / wide + 1;
        if (down * across <= most) return;
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": chunk " + h5::to_string(segment.chunk) +
                        " cuts a frame of " + std::to_string(rows) + " x " + std::to_string(cols) +
                        " into " + std::to_string(down * across) + " pieces; at most " +
                        std::to_string(most) + " are read");
    }

    /// A few bytes can declare more frames than anybody lives to see.
    static void require_bytes_behind(const h5::Dataset& dataset, const FrameSegment& segment) {
        constexpr std::uint64_t most_ratio = 1 << 20;
        std::error_code ignored;
        const auto size = fs::file_size(segment.stored_in, ignored);
        const auto bytes =
            static_cast<double>(segment.n_frames) * static_cast<double>(segment.frame_bytes());
        if (ignored || bytes <= static_cast<double>(size) * static_cast<double>(most_ratio)) return;
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": " + std::to_string(segment.n_frames) +
                        " frames of " + std::to_string(segment.rows) + " x " +
                        std::to_string(segment.cols) + " pixels in a file of " +
                        std::to_string(size) + " bytes; at most " + std::to_string(most_ratio) +
                        " times its size is read");
    }

    void
    choose_pipeline(const h5::Dataset& dataset, bool native_order, FrameSegment& segment) const {
        if (segment.chunk.empty() || !native_order || !options_.direct_chunks) return;
        if (segment.channel && segment.chunk[1] != 1) return;
        const std::uint64_t bytes =
            h5::n_elements(segment.chunk) * static_cast<unsigned>(segment.sample_bytes);
        if (bytes > largest_frame_bytes || !fill_is_zero(dataset)) return;
        segment.pipeline = pipeline_of(h5::filters(dataset),
                                       static_cast<std::size_t>(segment.sample_bytes),
                                       static_cast<std::size_t>(bytes));
    }

    static bool fill_is_zero(const h5::Dataset& dataset) {
        const auto held = h5::lock();
        const h5::PropertyList storage(H5Dget_create_plist(dataset.id()));
        H5D_fill_value_t defined = H5D_FILL_VALUE_ERROR;
        if (H5Pfill_value_defined(storage.id(), &defined) < 0) return false;
        if (defined != H5D_FILL_VALUE_USER_DEFINED) return true;
        std::uint64_t value = 1;
        return H5Pget_fill_value(storage.id(), H5T_NATIVE_UINT64, &value) >= 0 && value == 0;
    }

    /// The frames of a virtual dataset from the files that hold them, chunk by chunk.
    void add_virtual(const std::vector<VirtualPart>& parts, const FrameSegment& whole) {
        std::int64_t frames = 0;
        for (const VirtualPart& part : parts) {
            if (!fs::exists(part.file)) {
                info_.warnings.push_back(whole.file + ": " + part.file +
                                         ", a source of its virtual dataset, is missing; the " +
                                         std::to_string(frames) + " frames before it are used");
                break;
            }
            const h5::File file = h5::open_file(part.file);
            const h5::Dataset dataset = h5::open_dataset(file.id(), part.dataset);
            FrameSegment segment;
            segment.file = part.file;
            segment.dataset = part.dataset;
            segment.channel = whole.channel;
            const h5::Shape shape = h5::shape_of(dataset);
            if (shape.size() != (whole.channel ? 4U : 3U)) wrong_rank(dataset, shape);
            describe(dataset, shape, segment);
            if (segment.rows != whole.rows || segment.cols != whole.cols) {
                throw Error(ExitCode::data,
                            h5::name_of(dataset.id()) + ": frames of " +
                                std::to_string(segment.rows) + " x " +
                                std::to_string(segment.cols) + ", the virtual dataset has " +
                                std::to_string(whole.rows) + " x " + std::to_string(whole.cols));
            }
            segment.source_first = part.source_first;
            const std::int64_t there =
                std::clamp<std::int64_t>(segment.n_frames - part.source_first, 0, part.n_frames);
            segment.n_frames = there;
            if (there > 0) append(dataset, std::move(segment));
            frames += there;
            if (there == part.n_frames) continue;
            // What follows has its place in time, but frames before it do not exist.
            info_.warnings.push_back(whole.file + ": " + part.file + " has " +
                                     std::to_string(there) + " of the " +
                                     std::to_string(part.n_frames) +
                                     " frames that its virtual dataset expects of it; the " +
                                     std::to_string(frames) + " frames up to there are used");
            break;
        }
        if (frames == 0) {
            throw Error(ExitCode::data,
                        whole.file + ": " + whole.dataset +
                            ": virtual dataset without any of its source files");
        }
    }

    void append(const h5::Dataset& dataset, FrameSegment segment) {
        if (!segment.pipeline) require_filters_of_frames(dataset);
        if (!segments_.empty()) {
            const FrameSegment& first = segments_.front();
            if (segment.rows != first.rows || segment.cols != first.cols ||
                segment.sample_bytes != first.sample_bytes) {
                throw Error(
                    ExitCode::data,
                    h5::name_of(dataset.id()) + ": frames of " + std::to_string(segment.rows) +
                        " x " + std::to_string(segment.cols) + " samples of " +
                        std::to_string(segment.sample_bytes) + " bytes; the file before has " +
                        std::to_string(first.rows) + " x " + std::to_string(first.cols) + " of " +
                        std::to_string(first.sample_bytes));
            }
            segment.first = segments_.back().end();
        }
        segment.stored_in = file_of(dataset);
        require_bytes_behind(dataset, segment);
        for (const std::string& name : {segment.file, segment.stored_in}) {
            if (std::find(info_.files.begin(), info_.files.end(), name) != info_.files.end())
                continue;
            info_.files.push_back(name);
            std::error_code ignored;
            const auto size = fs::file_size(name, ignored);
            if (!ignored) info_.n_bytes += size;
        }
        segments_.push_back(std::move(segment));
    }

    static std::string file_of(const h5::Dataset& dataset) {
        const auto held = h5::lock();
        const ssize_t n = H5Fget_name(dataset.id(), nullptr, 0);
        std::string name(static_cast<std::size_t>(std::max<ssize_t>(n, 0)) + 1, '\0');
        H5Fget_name(dataset.id(), name.data(), name.size());
        name.pop_back();
        return name;
    }

    const SourceOptions& options_;
    SourceInfo& info_;
    std::vector<FrameSegment> segments_;
};

}  // namespace

std::vector<FrameSegment>
find_segments(const std::string& path, const SourceOptions& options, SourceInfo& info) {
    Finder finder(options, info);
    finder.add_file(path);
    for (const std::string& more : options.more_files)
        finder.add_file(more);
    return finder.take();
}

std::string sparse_group_of(const h5::File& file, const SourceOptions& options) {
    const auto is_sparse = [&](const std::string& group) {
        return h5::is_group(file.id(), group) && h5::is_dataset(file.id(), group + "/frame_ptr") &&
               h5::is_dataset(file.id(), group + "/index") &&
               h5::is_dataset(file.id(), group + "/intensity");
    };
    if (!options.dataset.empty()) return is_sparse(options.dataset) ? options.dataset : "";
    for (const char* group : {lima_data, default_group, default_dataset}) {
        if (is_sparse(group)) return group;
    }
    return "";
}

}  // namespace xpcs
