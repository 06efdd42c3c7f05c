// Swizzled panels: `width` bytes a row, rows one after the other, 16-byte chunks exchanged by XOR
// with address bits 7 to 9 (PTX ISA, "Shared memory matrix layout", swizzling modes). Panels start
// at multiples of the swizzle's period, so that the row number gives those bits.
template <int width>
__device__ constexpr u32 panel_flip(u32 row) {
    return row / (128 / width) % (width / 16);
}
template <int width>
__device__ __forceinline__ u32 panel_offset(u32 row, u32 byte) {
    return row * width + ((byte / 16 ^ panel_flip<width>(row)) * 16 | byte % 16);
}

// Where 8 channels of a quantized row lie among panels of `rows` rows. byte: a multiple of 8.
template <int rows>
__device__ __forceinline__ u32 int8_offset(u32 row, u32 byte) {
    return byte / plan::panel_bytes * (rows * plan::panel_bytes) +
           panel_offset<plan::panel_bytes>(row, byte % plan::panel_bytes);
}

constexpr u32 kValuePanelBytes = plan::value_panel_bytes;  // of a row
constexpr u32 kValueTileBytes = plan::value_tile_bytes;
// Of a tile of keys: what one copy brings, scales included.
constexpr u32 kKeyTileBytes = plan::tile_k * plan::head_dim_padded + 4 * plan::k_meta_words;
