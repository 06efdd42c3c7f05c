// Sums of 16-bit values need nothing to finish but their rows' sums of probabilities.
__device__ __forceinline__ void prepare_terms(const Call&, const TilePosition&, u32) {}
