// What stays the same from step to step.
struct Walk {
    u32 shared;
    Stage stage;   // of the next step
    i32 unmasked;  // tiles that all rows of the group see all keys of
    u32 turn;      // query tiles of the CTA so far
    u32 block;     // of this one (ahead.cuh)
    u32 query;     // lower word of the descriptor of the group's queries
    f32 query_factor;
};
