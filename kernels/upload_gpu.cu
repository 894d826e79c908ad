// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/upload.cuh"

namespace xpcs::gpu {

Upload::Memory::~Memory() {
    try {
        wait();
    } catch (const DeviceError&) {  // the device is gone, it copies no more
    }
    unlock();
}

void Upload::Memory::lock() {
    if (at == nullptr || refused || (at == locked_at && bytes <= locked_bytes)) return;
    wait();
    unlock();
    void* memory = const_cast<void*>(at);  // NOLINT(*-const-cast): it is not written to
    if (cudaHostRegister(memory, bytes, cudaHostRegisterDefault) != cudaSuccess) {
        cudaGetLastError();
        refused = true;
        return;
    }
    locked_at = at;
    locked_bytes = bytes;
}

void Upload::Memory::unlock() {
    if (locked_at == nullptr) return;
    void* memory = const_cast<void*>(locked_at);  // NOLINT(*-const-cast)
    report_status(cudaHostUnregister(memory), "cudaHostUnregister");
    locked_at = nullptr;
    locked_bytes = 0;
}

void Upload::Memory::queued_in(const Stream& stream) {
    if (!done) done.emplace();
    done->record(stream);
}

Upload::Upload() : memory_(std::make_unique<Memory>()) {}
Upload::~Upload() = default;

void Upload::set_memory(const void* at, std::size_t bytes) {
    memory_->at = at;
    memory_->bytes = bytes;
}

void Upload::wait() {
    memory_->wait();
}

}  // namespace xpcs::gpu
