// libFuzzer: the reader of bundles, fed with anything. Each input is read twice: as it is, and with
// the sizes and the checksum of its header made right, without which hardly any gets past them.
// With SAGEJIT_MUTATE_HEADER_OF=FILE it mutates every byte of that bundle's header in every way
// instead, and fails if any of them is accepted.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <vector>

#include "bundle/describe.h"
#include "bundle/layout.h"
#include "sagejit/bundle.h"
#include "sagejit/generator/error.h"

namespace {

using namespace sagejit;

// Everything a program may do with a bundle. Errors must be typed, and say the right thing. True
// when it could be opened.
bool use(std::span<const uint8_t> bytes) {
    try {
        const Bundle bundle = Bundle::from_memory(std::as_bytes(bytes), "fuzz");
        for (const BundleKernel& kernel : bundle.kernels()) {
            try {
                bundle.cubin(kernel);
                plan_of(kernel);
            } catch (const Error& error) {
                // A spec may be wrong as a config may be.
                if (error.code() != ErrorCode::kInvalidInput &&
                    error.code() != ErrorCode::kInvalidConfig &&
                    error.code() != ErrorCode::kUnsupportedTarget) {
                    throw;
                }
            }
        }
        return true;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kInvalidInput && error.where() == "fuzz") return false;
        std::fprintf(stderr, "wrong error: %s\n", error.what());
        std::abort();
    }
}

// The input's manifest, as long as the header says where that is possible, and the rest of it.
std::vector<uint8_t> sealed(std::span<const uint8_t> bytes) {
    BundleHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::span<const uint8_t> rest = bytes.subspan(sizeof header);
    const size_t length = std::min<uint64_t>(header.manifest_bytes, rest.size());
    std::vector<uint8_t> result = encode_head(rest.first(length), bytes.size());
    result.insert(result.end(), rest.begin() + static_cast<ptrdiff_t>(length), rest.end());
    return result;
}

int mutate_header(const char* path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    if (!use(bytes)) {
        std::fprintf(stderr, "%s is no bundle to begin with\n", path);
        return 1;
    }
    size_t mutations = 0;
    for (size_t i = 0; i < sizeof(BundleHeader); ++i) {
        for (int change = 1; change < 256; ++change, ++mutations) {
            bytes[i] ^= static_cast<uint8_t>(change);
            if (use(bytes)) {
                std::fprintf(stderr, "accepted with byte %zu of its header mutated\n", i);
                return 1;
            }
            bytes[i] ^= static_cast<uint8_t>(change);
        }
    }
    std::printf("%zu mutations, all refused\n", mutations);
    return 0;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* path = std::getenv("SAGEJIT_MUTATE_HEADER_OF");
    if (path != nullptr) std::exit(mutate_header(path));
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    use({data, size});
    if (size >= sizeof(BundleHeader)) use(sealed({data, size}));
    return 0;
}
