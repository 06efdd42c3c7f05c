/* Checks for the tests of the C API, and the numbers they need. */
#ifndef SAGEJIT_TESTS_C_CHECK_H_
#define SAGEJIT_TESTS_C_CHECK_H_

#include <math.h>
#include <sagejit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s; last error: %s\n", __FILE__, __LINE__, #condition, \
                    sagejit_last_error());                                                         \
            ++failures;                                                                            \
        }                                                                                          \
    } while (0)

/* For what the rest of a test cannot do without. */
#define REQUIRE(condition)              \
    do {                                \
        const int before = failures;    \
        CHECK(condition);               \
        if (failures > before) exit(1); \
    } while (0)

/* The call fails with that status, and the words are in what it says. */
#define CHECK_FAILS(status, call, words)                                                  \
    do {                                                                                  \
        CHECK((call) == (status));                                                        \
        CHECK(sagejit_last_status() == (status));                                         \
        if (strstr(sagejit_last_error(), (words)) == NULL) {                              \
            fprintf(stderr, "%s:%d: \"%s\" is not in: %s\n", __FILE__, __LINE__, (words), \
                    sagejit_last_error());                                                \
            ++failures;                                                                   \
        }                                                                                 \
    } while (0)

static inline int finish(void) {
    if (failures == 0) return 0;
    fprintf(stderr, "%d checks failed\n", failures);
    return 1;
}

/* fp16 from a number that is a multiple of 1/1024 below 2, which are exact, and back. */
static inline uint16_t to_half(double value) {
    uint16_t sign = value < 0 ? 0x8000u : 0;
    int exponent = 0;
    double fraction = frexp(fabs(value), &exponent); /* in [0.5, 1) */
    if (value == 0) return sign;
    return (uint16_t)(sign | ((exponent + 14) << 10) | (int)lrint((fraction * 2 - 1) * 1024));
}

static inline double from_half(uint16_t bits) {
    int exponent = (bits >> 10) & 31;
    double fraction = bits & 1023;
    double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000u ? -value : value;
}

#endif /* SAGEJIT_TESTS_C_CHECK_H_ */
