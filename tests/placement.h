// Where the rows of a tensor lie in a buffer.
#pragma once

#include <array>
#include <cstdint>

namespace sagejit::test {

// A tensor placed in a buffer: where element (b, h, t, 0) is, in elements.
struct Placement {
    std::array<int64_t, 4> shape{};
    std::array<int64_t, 4> strides{};
    int64_t first = 0;
    int64_t extent = 0;  // elements of the buffer it needs

    int64_t row(int64_t b, int64_t h, int64_t t) const {
        return first + b * strides[0] + h * strides[1] + t * strides[2];
    }
};

// Calls body(index of the row, where it begins) for each row.
template <class Body>
void for_each_row(const Placement& placement, const Body& body) {
    int64_t index = 0;
    for (int64_t b = 0; b < placement.shape[0]; ++b) {
        for (int64_t h = 0; h < placement.shape[1]; ++h) {
            for (int64_t t = 0; t < placement.shape[2]; ++t) {
                body(index++, placement.row(b, h, t));
            }
        }
    }
}

}  // namespace sagejit::test
