// SPDX-License-Identifier: BSD-3-Clause
// Records of the catalogue: the documents that the publish step sends to Globus Search.
//
// A document is {"subject", "visible_to": [...], "id", "content": {"dc", "files",
// "project_metadata"}}.
#pragma once

#include <nlohmann/json.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace xpcs::portal {

using nlohmann::json;

/// Facets, in the order in which pages show them.
enum Facet : std::size_t {
    facet_experiment,
    facet_cycle,
    facet_detector,
    facet_analysis,
    facet_qmap,
    facet_sample,
    facet_date,
    facet_energy,
    facet_user,
    facet_organisation,
    n_facets
};
inline constexpr std::array<const char*, n_facets> facet_names{"experiment",
                                                               "cycle",
                                                               "detector",
                                                               "analysis",
                                                               "qmap",
                                                               "sample",
                                                               "date",
                                                               "energy",
                                                               "user",
                                                               "organisation"};

/// What the catalogue knows of a document without reading it again.
struct RecordFields {
    std::string title;
    std::array<std::string, n_facets> facets;  ///< "" = unknown; at most 200 bytes, printable
    std::string start;                         ///< of the measurement, as text that sorts
    std::optional<double> relaxation_time_s, contrast, intensity, temperature_K;
    std::string source;  ///< subject of the record that this one was reprocessed from, or ""
    std::string words;   ///< everything that full-text search finds
};

/// Never throws for odd content: what has not the expected type is unknown.
RecordFields fields_of(const json& document);

/// Documents in the text of a file: one document, a GMetaList or GMetaEntry, {"search": document},
/// a list of these, or one per line. NaN and Infinity outside of strings, which JSON does not have,
/// become text. Throws Error (data) naming the file for anything else.
std::vector<json> documents_in(const std::string& text, const std::string& file);

/// Makes a document of a directory that holds a result (*_results.hdf, or any result) and what
/// report wrote beside it or below (metadata.json, pictures). Files get sizes and SHA-256, SHA-512.
struct DirectoryOptions {
    std::string subject;  ///< "" = file://ABSOLUTE/PATH
    std::vector<std::string> visible_to{"public"};
    std::string experiment, cycle, organisation;  ///< laid over the metadata where not ""
};
json document_of(const std::string& directory, const DirectoryOptions& options);

/// Member by name; also "name (units)". Null if it is not there.
const json& member(const json& object, const std::string& name);
/// The same along a path of names.
const json& member(const json& object, std::initializer_list<const char*> path);
std::string text_of(const json& value);

}  // namespace xpcs::portal
