// Heads that a row of the workspace belongs to. Divided by multiplication.
__device__ __forceinline__ u32 divide(u32 number, const Divisor& by) {
    const u64 product = static_cast<u64>(number) * by.multiplier;
    return (number + static_cast<u32>(product >> 32)) >> by.shift;
}

struct Heads {
    i32 batch, head_q, head_kv;
    i32 kv_row;  // index into workspace arrays
};
// Asked again wherever it is wanted: it should not take registers all the way through the keys.
__device__ __forceinline__ Heads heads_of(const Call& call, i32 q_row) {
    Heads heads;
    heads.batch = static_cast<i32>(divide(q_row, call.by_heads_q));
    heads.head_q = q_row - heads.batch * call.heads_q;
    heads.kv_row = static_cast<i32>(divide(q_row, call.by_group_size));
    heads.head_kv = heads.kv_row - heads.batch * call.heads_kv;
    return heads;
}
