/*
 * What all fuzzers share: the one function that libFuzzer calls, and how they tell it of a fault.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From here on nothing is counted as coverage: models and invariants are not what is looked
 * through, and run many times as often. */
#ifdef __clang__
#define FUZZ_NOT_COVERED \
    _Pragma("clang attribute push(__attribute__((no_sanitize(\"coverage\"))), apply_to = function)")
#define FUZZ_COVERED _Pragma("clang attribute pop")
#else
#define FUZZ_NOT_COVERED
#define FUZZ_COVERED
#endif

#define CHECK(condition)  \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

#endif
