// The host device's side of the source: the table of services, and what the instruction wrappers
// share.
static const HostApi* host_api = nullptr;
extern "C" void sagejit_host_bind(const HostApi* api) { host_api = api; }

// fp32 to fp16, to nearest even; NaN stays NaN.
static inline u32 f32_to_f16_bits(f32 value) {
    const u32 bits = __builtin_bit_cast(u32, value);
    const u32 sign = bits >> 16 & 0x8000u;
    const u32 magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return 0x7FFFu;
    if (magnitude >= 0x477FF000u) return sign | 0x7C00u;  // rounds to 65536 or more
    if (magnitude < 0x38800000u) {                        // below 2^-14: denormal
        // Adding 0.5 puts the bits of a denormal half at the end of the float, rounded.
        const f32 shifted = __builtin_bit_cast(f32, magnitude) + 0.5f;
        return sign | (__builtin_bit_cast(u32, shifted) - 0x3F000000u);
    }
    const u32 rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
    return sign | ((rounded - 0x38000000u) >> 13);
}
