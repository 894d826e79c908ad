// SPDX-License-Identifier: BSD-3-Clause
// Linked instead of the .cu files when the build has no CUDA.
namespace xpcs {}
