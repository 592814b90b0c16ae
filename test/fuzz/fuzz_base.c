/*
 * Fuzzing lib/base: the reader and the writer, driven by the input, against plain models that
 * keep the whole state in the open.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "test/fuzz/fuzz.h"

#define STEPS_MAX 64
#define ROOM_MAX  256

enum kind { KIND_U8, KIND_U16, KIND_U32, KIND_U64, KIND_BYTES, KIND_SKIP, KIND_COUNT };

static const size_t number_sizes[] = {
    [KIND_U8] = 1, [KIND_U16] = 2, [KIND_U32] = 4, [KIND_U64] = 8};

struct step {
    uint8_t kind;
    size_t size;
    size_t at; /* for patches */
};

/* What the input makes of one octet pair; sizes near SIZE_MAX are among them. */
static struct step step_of(uint8_t kind, uint8_t argument)
{
    struct step step = {.kind = kind % KIND_COUNT, .size = argument, .at = argument};

    if (argument >= 0xf0)
        step.size = SIZE_MAX - (argument & 15);
    if (step.kind <= KIND_U64)
        step.size = number_sizes[step.kind];
    return step;
}

static uint64_t number_of(const uint8_t *from, size_t size)
{
    uint64_t number = 0;

    while (size-- > 0)
        number = number * 256 + *from++;
    return number;
}

static uint64_t number_read(struct reader *reader, uint8_t kind)
{
    switch (kind) {
    case KIND_U8: return reader_u8(reader);
    case KIND_U16: return reader_u16(reader);
    case KIND_U32: return reader_u32(reader);
    default: return reader_u64(reader);
    }
}

static void try_reader(const uint8_t *steps, size_t step_count, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    size_t at = 0;
    bool failed = false;

    for (size_t i = 0; i < step_count; i++) {
        struct step step = step_of(steps[2 * i], steps[2 * i + 1]);
        failed = failed || step.size > bytes.size - at;
        if (step.kind <= KIND_U64) {
            uint64_t expected = failed ? 0 : number_of(bytes.data + at, step.size);
            CHECK(number_read(&reader, step.kind) == expected);
        } else if (step.kind == KIND_BYTES) {
            struct slice got = reader_bytes(&reader, step.size);
            CHECK(got.size == (failed ? 0 : step.size));
            CHECK(failed || got.size == 0 || got.data == bytes.data + at);
        } else {
            reader_skip(&reader, step.size);
        }
        at += failed ? 0 : step.size;
        CHECK(reader_ok(&reader) == !failed);
        CHECK(reader_left(&reader) == (failed ? 0 : bytes.size - at));
        CHECK(reader_done(&reader) == (!failed && at == bytes.size));
    }
}

static void number_write(struct writer *writer, uint8_t kind, uint64_t value)
{
    switch (kind) {
    case KIND_U8: writer_u8(writer, (uint8_t)value); break;
    case KIND_U16: writer_u16(writer, (uint16_t)value); break;
    case KIND_U32: writer_u32(writer, (uint32_t)value); break;
    default: writer_u64(writer, value); break;
    }
}

/* KIND_SKIP is a patch of two octets here. */
static void try_writer(const uint8_t *steps, size_t step_count, size_t capacity)
{
    uint8_t *room = malloc(capacity + 1); /* its own, so that a sanitizer sees its end */
    uint8_t model[ROOM_MAX] = {0};
    struct writer writer = writer_of(room, capacity);
    size_t size = 0;
    bool failed = false;

    CHECK(room != NULL);
    for (size_t i = 0; i < step_count; i++) {
        struct step step = step_of(steps[2 * i], steps[2 * i + 1]);
        uint64_t value = 0x0102030405060708 * (i + 1);
        if (step.kind == KIND_SKIP) {
            failed = failed || step.at + 2 > size;
            writer_patch_u16(&writer, step.at, (uint16_t)value);
            for (size_t j = 0; j < 2 && !failed; j++)
                model[step.at + j] = (uint8_t)(value >> (8 * (1 - j)));
        } else if (step.kind == KIND_BYTES) {
            failed = failed || step.size > capacity - size;
            CHECK((writer_reserve(&writer, step.size) == NULL) == failed);
            size += failed ? 0 : step.size;
        } else {
            failed = failed || step.size > capacity - size;
            number_write(&writer, step.kind, value);
            for (size_t j = 0; j < step.size && !failed; j++)
                model[size + j] = (uint8_t)(value >> (8 * (step.size - 1 - j)));
            size += failed ? 0 : step.size;
        }
        CHECK(writer_ok(&writer) == !failed);
        CHECK(slice_equal(writer_slice(&writer), slice_of(model, size)));
    }
    free(room);
}

/* The first octet: how many steps follow; the next: the writer's room; then steps, then bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step_count = data[0] % STEPS_MAX;
    size_t capacity = data[1];
    if (size - 2 < 2 * step_count)
        return 0;
    const uint8_t *steps = data + 2;
    size_t rest = size - 2 - 2 * step_count;

    try_reader(steps, step_count, slice_of(rest > 0 ? steps + 2 * step_count : NULL, rest));
    try_writer(steps, step_count, capacity);
    return 0;
}
