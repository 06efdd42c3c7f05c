// The operands of a wgmma, from shared memory and registers.
#include "host/machine.h"
#include "host/matrix_descriptor.h"
#include "host/sanitizers.h"

namespace sagejit::host {
namespace {

constexpr u32 kChunkBytes = 16;

// The words that lanes hold of a warp's 16 rows: the fragments of A of mma.m16n8k32 and m16n8k16.
void put_registers(u16 (*a)[16], const u32 (*words)[4]) {
    for (int lane = 0; lane < kWarpLanes; ++lane) {
        for (int i = 0; i < 4; ++i) {
            u16* const pair = &a[lane / 4 + 8 * (i % 2)][2 * (lane % 4) + 8 * (i / 2)];
            pair[0] = static_cast<u16>(words[lane][i]);
            pair[1] = static_cast<u16>(words[lane][i] >> 16);
        }
    }
}

}  // namespace

// Sixteen bytes of an operand.
const std::byte* Machine::operand_chunk(u32 address) {
    const std::byte* chunk = shared(address, kChunkBytes, "wgmma");
    if (is_unfenced(address)) {
        fail_rule("wgmma", address, "fence_async_shared is missing after a store to its operand");
    }
    note_read(chunk, kChunkBytes);
    return chunk;
}

void Machine::read_operands(Warpgroup& group, const WgmmaIssue& issue) {
    const abi::WgmmaOperation& operation = issue.operation;
    OperandTiles& tiles = group.tiles;
    if (operation.a != nullptr) {
        for (int i = 0; i < kGroupWarps; ++i) put_registers(tiles.a + 16 * i, issue.a_words[i]);
    } else {
        const MatrixDescriptor a = decode_descriptor(operation.a_descriptor);
        for (u32 row = 0; row < kTileRows; ++row) {
            for (u32 part = 0; part < 2; ++part) {
                __builtin_memcpy(tiles.a[row] + 8 * part, operand_chunk(a.k_major(row, part)),
                                 kChunkBytes);
            }
        }
    }
    const MatrixDescriptor b = decode_descriptor(operation.b_descriptor);
    if (operation.b_mn_major != 0) {
        for (u32 k = 0; k < 16; ++k) {
            for (u32 part = 0; part < operation.n / 8; ++part) {
                __builtin_memcpy(tiles.b[k] + 8 * part, operand_chunk(b.mn_major(k, part)),
                                 kChunkBytes);
            }
        }
        return;
    }
    for (u32 column = 0; column < operation.n; ++column) {
        for (u32 part = 0; part < 2; ++part) {
            u16 elements[8];
            __builtin_memcpy(elements, operand_chunk(b.k_major(column, part)), kChunkBytes);
            for (u32 i = 0; i < 8; ++i) tiles.b[8 * part + i][column] = elements[i];
        }
    }
}

}  // namespace sagejit::host
