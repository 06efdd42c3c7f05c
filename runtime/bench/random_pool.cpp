#include "bench/random_pool.h"

#include <algorithm>
#include <vector>

#include "tensor/half.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace sagejit {
namespace {

// Values are copied in whole chunks, so that every copy is aligned to 16 bytes.
constexpr size_t kChunk = 8;
// A prime number of chunks: rows of any usual length fall into other channels and rows each time
// the pool is repeated.
constexpr size_t kLargest = 524'287 * kChunk;
constexpr size_t kPiece = 65'536;  // values drawn by one task

}  // namespace

RandomPool::RandomPool(const Device& device, DataType dtype, size_t largest, uint64_t seed) {
    // Twice the tensor, so that streams of a small one do not overlap much.
    const size_t useful = (2 * largest / sizeof(uint16_t) / kChunk + 1) * kChunk;
    std::vector<uint16_t> values(std::min(kLargest, useful));
    const auto pieces = static_cast<int64_t>((values.size() + kPiece - 1) / kPiece);
    parallel_for(pieces, [&](int64_t piece) {
        RandomStream stream(seed, static_cast<uint64_t>(piece));
        const size_t begin = static_cast<size_t>(piece) * kPiece;
        for (size_t i = begin; i < std::min(begin + kPiece, values.size()); ++i) {
            values[i] = half_from_double(stream.normal(), dtype);
        }
    });
    pool_ = DeviceBuffer(device, values.size() * sizeof(uint16_t));
    pool_.upload(values.data(), pool_.bytes());
}

void RandomPool::fill(DeviceBuffer& buffer, uint64_t stream) const {
    constexpr size_t kChunkBytes = kChunk * sizeof(uint16_t);
    RandomStream random(stream, 0);
    size_t from = random.bits() % (pool_.bytes() / kChunkBytes) * kChunkBytes;
    for (size_t filled = 0; filled < buffer.bytes();) {
        const size_t bytes = std::min(buffer.bytes() - filled, pool_.bytes() - from);
        buffer.copy_from(pool_, bytes, from, filled);
        filled += bytes;
        from = 0;
    }
}

}  // namespace sagejit
