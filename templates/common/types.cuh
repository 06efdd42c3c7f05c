// Types and bounds of our own, so that the source needs no header.
using u8 = unsigned char;
using i8 = signed char;
using u16 = unsigned short;
using u32 = unsigned int;
using i32 = int;
using u64 = unsigned long long;
using i64 = long long;
using f32 = float;

constexpr u32 kInfinityBits = 0x7F800000u;
constexpr u32 kNanBits = 0x7FC00000u;
constexpr i32 kNoBadKey = 0x7FFFFFFF;  // first bad key of a tile that has none
constexpr u32 kBadRowMarker = 0x80u;   // first byte of a quantized query row with NaN or Inf
constexpr u32 kWarpLanes = 32;

__device__ __forceinline__ constexpr int divide_up(int value, int divisor) {
    return (value + divisor - 1) / divisor;
}
