// SPDX-License-Identifier: BSD-3-Clause
// Documents for the catalogue (GMetaList and its kin), their storage, and what search words do.
#include "portal/catalogue.hpp"
#include "portal/record.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static portal::Catalogue catalogue(scratch_directory() + "/catalogue.db", true);
    Choices choices(input);
    portal::Query query;
    query.words = choices.word(60);
    query.from = choices.word(12);
    tolerate([&] {
        for (const auto& document :
             portal::documents_in(std::string(text_of(choices.rest())), "d")) {
            portal::fields_of(document);
            tolerate([&] { catalogue.ingest(document); });
            const std::string subject = portal::text_of(portal::member(document, "subject"));
            tolerate([&] { catalogue.versions(subject, {{}, true, true}); });
            tolerate([&] { catalogue.remove(subject); });
        }
    });
    tolerate([&] { catalogue.search(query, {{"someone"}, false, true}); });
}

}  // namespace xpcs::fuzz
