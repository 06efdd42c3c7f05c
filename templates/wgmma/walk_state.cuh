// What stays the same from step to step.
struct Walk {
    u32 shared;
    i32 unmasked;  // tiles that all rows of the group see all keys of
    u64 query;     // matrix descriptor of the group's queries
    f32 query_factor;
};
