#include "host/api.h"

namespace sagejit::host {

// Relaxed: an atomic orders nothing else, as on a GPU.
void atomic_max(abi::u32* word, abi::u32 value) {
    abi::u32 seen = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (seen < value && !__atomic_compare_exchange_n(word, &seen, value, false, __ATOMIC_RELAXED,
                                                        __ATOMIC_RELAXED)) {
    }
}

}  // namespace sagejit::host
