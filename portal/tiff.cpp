// SPDX-License-Identifier: BSD-3-Clause
#include "portal/tiff.hpp"

#include "host/errors.hpp"

#include <tiffio.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace xpcs::portal {

namespace {

struct Close {
    void operator()(TIFF* file) const { TIFFClose(file); }
};

}  // namespace

void write_tiff(const std::string& path,
                std::int64_t rows,
                std::int64_t cols,
                const std::vector<double>& values) {
    TIFFSetErrorHandler(nullptr);  // what goes wrong is told here
    TIFFSetWarningHandler(nullptr);
    errno = 0;
    const std::unique_ptr<TIFF, Close> file(TIFFOpen(path.c_str(), "w"));
    if (!file) {
        throw Error(ExitCode::cannot_create, "'" + path + "': " + std::strerror(errno));
    }
    TIFFSetField(file.get(), TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(cols));
    TIFFSetField(file.get(), TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(rows));
    TIFFSetField(file.get(), TIFFTAG_BITSPERSAMPLE, 32);
    TIFFSetField(file.get(), TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(file.get(), TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    TIFFSetField(file.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(file.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(file.get(), TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(file.get(), TIFFTAG_ROWSPERSTRIP, 64);
    std::vector<float> line(static_cast<std::size_t>(cols));
    bool good = true;
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::size_t col = 0; col < line.size(); ++col)
            line[col] =
                static_cast<float>(values[static_cast<std::size_t>(row) * line.size() + col]);
        good = good &&
               TIFFWriteScanline(file.get(), line.data(), static_cast<std::uint32_t>(row)) == 1;
    }
    if (!good || TIFFFlush(file.get()) != 1) {
        throw Error(ExitCode::io, "'" + path + "': cannot be written: " + std::strerror(errno));
    }
}

}  // namespace xpcs::portal
