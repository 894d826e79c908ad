// SPDX-License-Identifier: BSD-3-Clause
#include "host/sha256.hpp"

#include "host/errors.hpp"

#include <openssl/evp.h>

namespace xpcs {

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    State() = default;
    ~State() { EVP_MD_CTX_free(context); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

namespace {

void require(int done) {
    if (done != 1) throw Error(ExitCode::internal, "OpenSSL: SHA-256 cannot be computed");
}

}  // namespace

Sha256::Sha256() : state_(std::make_unique<State>()) {
    require(state_->context != nullptr ? 1 : 0);
    require(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;

void Sha256::add(const void* bytes, std::size_t n_bytes) {
    require(EVP_DigestUpdate(state_->context, bytes, n_bytes));
}

std::string Sha256::hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n_bytes = 0;
    require(EVP_DigestFinal_ex(state_->context, digest, &n_bytes));
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < n_bytes; ++i) {
        text += digits[digest[i] >> 4];
        text += digits[digest[i] & 0xF];
    }
    return text;
}

}  // namespace xpcs
