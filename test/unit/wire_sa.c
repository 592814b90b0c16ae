/*
 * The SA payload: RFC 7296 section 3.3 read, refused and written.
 */
#include "test/unit/wire.h"

/* Like the example of section 3.3: ESP with CBC of two key sizes, or with GCM.  The last transform
 * has an attribute that nobody knows. */
static const char golden[] = "02 00 003c 01 03 04 05 052357bb"
                             "  03 00 000c 01 00 000c 800e 0080"
                             "  03 00 000c 01 00 000c 800e 0100"
                             "  03 00 0008 03 00 0002"
                             "  03 00 0008 05 00 0001"
                             "  00 00 0008 05 00 0000"
                             "00 00 0024 02 03 04 02 35a1d6f2"
                             "  03 00 000c 01 00 0014 800e 0080"
                             "  00 00 000c 05 00 0000 8000 0000";

static void the_rfcs_example_is_read(void **state)
{
    static const struct v2_transform first[] = {
        {.type = 1, .id = 12, .key_bits = 128},
        {.type = 1, .id = 12, .key_bits = 256},
        {.type = 3, .id = 2},
        {.type = 5, .id = 1},
        {.type = 5, .id = 0},
    };
    struct v2_sa sa;
    (void)state;

    memset(&sa, 0xee, sizeof(sa));
    assert_int_equal(v2_sa_parse(&sa, bytes_hex(golden), NULL), STATUS_OK);
    assert_int_equal(sa.count, 2);
    assert_int_equal(sa.proposals[0].number, 1);
    assert_int_equal(sa.proposals[0].protocol, V2_PROTOCOL_ESP);
    assert_bytes(slice_of(sa.proposals[0].spi, sa.proposals[0].spi_size), "052357bb");
    assert_bytes(slice_of(sa.proposals[0].spi + 4, 4), "00000000");
    assert_int_equal(sa.proposals[0].transform_count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct v2_transform *transform = &sa.proposals[0].transforms[i];
        assert_int_equal(transform->type, first[i].type);
        assert_int_equal(transform->id, first[i].id);
        assert_int_equal(transform->key_bits, first[i].key_bits);
        assert_false(transform->unknown_attribute);
    }
    assert_int_equal(sa.proposals[1].number, 2);
    assert_bytes(slice_of(sa.proposals[1].spi, sa.proposals[1].spi_size), "35a1d6f2");
    assert_int_equal(sa.proposals[1].transform_count, 2);
    assert_int_equal(sa.proposals[1].transforms[0].id, 20);
    assert_true(sa.proposals[1].transforms[1].unknown_attribute);
}

static void no_part_of_it_is_whole(void **state)
{
    struct slice whole = bytes_hex(golden);
    struct v2_sa sa;
    (void)state;

    assert_int_equal(v2_sa_parse(&sa, whole, NULL), STATUS_OK);
    for (size_t size = 0; size < whole.size; size++)
        assert_rejected(v2_sa_parse(&sa, bytes_cut(whole, size), &reason), V2_N_INVALID_SYNTAX);
    assert_rejected(v2_sa_parse(&sa, bytes_join(whole, bytes_fill(0, 1)), &reason),
                    V2_N_INVALID_SYNTAX);
}

static void lying_lengths_and_counts_are_refused(void **state)
{
    static const struct {
        const char *why;
        size_t at;
        uint8_t octet;
    } rows[] = {
        {"proposal one shorter", 3, 0x3b},
        {"proposal one longer", 3, 0x3d},
        {"proposal shorter than its header", 3, 0x03},
        {"proposal shorter than its fields", 3, 0x07},
        {"proposal of length 0", 3, 0x00},
        {"proposal far longer", 2, 0xff},
        {"marked last, another follows", 0, 0},
        {"marked as transform", 0, 3},
        {"number 0", 4, 0},
        {"number 2 first", 4, 2},
        {"SPI too long", 6, 9},
        {"SPI too long for ESP", 6, 8},
        {"SPI missing for ESP", 6, 0},
        {"SPI too short for ESP", 6, 3},
        {"SPI of 4 for IKE", 5, V2_PROTOCOL_IKE},
        {"no transform", 7, 0},
        {"a transform more than there are", 7, 6},
        {"a transform fewer than there are", 7, 4},
        {"transforms far more than there are", 7, 255},
        {"transform one shorter", 15, 0x0b},
        {"transform one longer", 15, 0x0d},
        {"transform without its type", 15, 0x04},
        {"transform of length 0", 15, 0x00},
        {"transform shorter than its header", 15, 0x03},
        {"transform far longer", 14, 0xff},
        {"transform marked last, another follows", 12, 0},
        {"transform marked as proposal", 12, 2},
        {"last transform marked as not", 52, 3},
        {"attribute longer than its transform", 20, 0x00},
        {"last proposal marked as not", 60, 2},
        {"the second number is not 2", 64, 3},
        {"the second number is 1 again", 64, 1},
    };
    struct slice whole = bytes_hex(golden);
    struct v2_sa sa;
    (void)state;

    assert_int_equal(v2_sa_parse(&sa, whole, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice bytes = bytes_with(whole, rows[i].at, rows[i].octet);
        if (v2_sa_parse(&sa, bytes, NULL) == STATUS_OK)
            print_message("%s: accepted\n", rows[i].why);
        assert_rejected(v2_sa_parse(&sa, bytes, &reason), V2_N_INVALID_SYNTAX);
    }
}

static void other_malformed_payloads_are_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "00000008 01010000",                  /* a proposal without transforms */
        "02000010 02010001 00000008 05000000" /* two proposals, from 2 on */
        "00000010 03010001 00000008 05000000",
        "02000010 00010001 00000008 05000000" /* and from 0 on */
        "00000010 01010001 00000008 05000000",
    };
    struct v2_sa sa;
    (void)state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_rejected(v2_sa_parse(&sa, bytes_hex(bodies[i]), &reason), V2_N_INVALID_SYNTAX);
}

/* The number is one octet: what would be proposal 256 cannot follow. */
static void numbers_do_not_wrap(void **state)
{
    struct slice one = bytes_hex("02000010 00010001 00000008 05000000");
    struct slice bytes = bytes_hex("");
    struct v2_sa sa;
    (void)state;

    for (unsigned number = 1; number <= 255; number++)
        bytes = bytes_join(bytes, bytes_with(one, 4, (uint8_t)number));
    assert_int_equal(v2_sa_parse(&sa, bytes_with(bytes, bytes.size - 16, 0), NULL), STATUS_OK);
    assert_rejected(v2_sa_parse(&sa, bytes_join(bytes, bytes_with(one, 0, 0)), &reason),
                    V2_N_INVALID_SYNTAX);
}

static void reserved_octets_are_ignored(void **state)
{
    static const size_t reserved[] = {1, 13, 17, 61};
    struct slice bytes = bytes_hex(golden);
    struct v2_sa sa;
    (void)state;

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        bytes = bytes_with(bytes, reserved[i], 0xff);
    assert_int_equal(v2_sa_parse(&sa, bytes, NULL), STATUS_OK);
}

/* An answer keeps the number that its proposal had in the offer. */
static void an_answer_may_have_any_number(void **state)
{
    struct slice answer = bytes_hex("00 00 0014 07 03 04 01 052357bb  00 00 0008 05 00 0000");
    struct v2_sa sa;
    (void)state;

    assert_int_equal(v2_sa_parse(&sa, answer, NULL), STATUS_OK);
    assert_int_equal(sa.proposals[0].number, 7);
    assert_int_equal(v2_sa_parse(&sa, bytes_with(answer, 4, 255), NULL), STATUS_OK);
    assert_rejected(v2_sa_parse(&sa, bytes_with(answer, 4, 0), &reason), V2_N_INVALID_SYNTAX);
}

static void spi_sizes_go_with_protocols(void **state)
{
    static const struct {
        uint8_t protocol;
        uint16_t sizes; /* bit n: size n is legal */
    } rows[] = {
        {V2_PROTOCOL_IKE, 1 << 0 | 1 << 8},
        {V2_PROTOCOL_AH, 1 << 4},
        {V2_PROTOCOL_ESP, 1 << 4},
        {4, 0x1ff},
        {255, 0x1ff},
    };
    struct v2_sa sa;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint8_t size = 0; size <= 10; size++) {
            struct slice bytes =
                bytes_join(bytes_hex("00000000 01000001"),
                           bytes_join(bytes_fill(0xee, size), bytes_hex("00000008 05000000")));
            bytes = bytes_with(bytes, 3, (uint8_t)bytes.size);
            bytes = bytes_with(bytes_with(bytes, 5, rows[i].protocol), 6, size);
            assert_int_equal(v2_sa_parse(&sa, bytes, NULL),
                             (rows[i].sizes >> size & 1) != 0 ? STATUS_OK : STATUS_REJECT);
        }
    }
}

/* Section 3.3.6: what cannot be returned unmodified must not be chosen. */
static void strange_attributes_bar_only_their_transform(void **state)
{
    static const struct {
        const char *attributes;
        uint16_t key_bits;
        bool unknown;
    } rows[] = {
        {"", 0, false},
        {"800e 0080", 128, false},
        {"800e ffff", 65535, false},
        {"800e 0000", 0, true},             /* a key of no bits */
        {"000e 0002 0080", 0, true},        /* the long form */
        {"800e 0080 800e 0080", 128, true}, /* twice */
        {"800f 0080", 0, true},             /* another type */
        {"800e 0080 800f 0001", 128, true},
        {"0012 0003 aabbcc 800e 0080", 128, true},
        {"0012 0000", 0, true},
    };
    struct v2_sa sa;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice attributes = bytes_hex(rows[i].attributes);
        struct slice bytes =
            bytes_join(bytes_hex("00000000 01010001 00000000 01000014"), attributes);
        bytes = bytes_with(bytes, 3, (uint8_t)bytes.size);
        bytes = bytes_with(bytes, 11, (uint8_t)(8 + attributes.size));
        assert_int_equal(v2_sa_parse(&sa, bytes, NULL), STATUS_OK);
        assert_int_equal(sa.proposals[0].transforms[0].key_bits, rows[i].key_bits);
        assert_int_equal(sa.proposals[0].transforms[0].unknown_attribute, rows[i].unknown);
        for (size_t cut = 1; cut < 4 && cut < attributes.size; cut++) {
            struct slice shorter = bytes_cut(bytes, bytes.size - cut);
            shorter = bytes_with(shorter, 3, (uint8_t)shorter.size);
            shorter = bytes_with(shorter, 11, (uint8_t)(8 + attributes.size - cut));
            assert_rejected(v2_sa_parse(&sa, shorter, &reason), V2_N_INVALID_SYNTAX);
        }
    }
}

static struct v2_sa sa_of(size_t proposals, uint8_t transforms)
{
    struct v2_sa sa = {.count = proposals};

    for (size_t i = 0; i < proposals; i++) {
        sa.proposals[i] = (struct v2_proposal){
            .number = (uint8_t)(i + 1),
            .protocol = V2_PROTOCOL_IKE,
            .spi_size = 8,
            .spi = {1, 2, 3, 4, 5, 6, 7, (uint8_t)i},
            .transform_count = transforms,
        };
        for (uint8_t j = 0; j < transforms; j++)
            sa.proposals[i].transforms[j] = (struct v2_transform){
                .type = (uint8_t)(1 + j % 5),
                .id = (uint16_t)(j * 1000),
                .key_bits = (uint16_t)(j % 3 * 64),
            };
    }
    return sa;
}

static struct slice sa_write(const struct v2_sa *sa)
{
    static uint8_t room[16384];
    struct v2_writer writer;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_write_sa(&writer, sa);
    return wire_body(&writer, V2_SA);
}

static void what_is_written_is_read_back(void **state)
{
    static const size_t proposals[] = {1, 2, V2_PROPOSALS_MAX};
    static const uint8_t transforms[] = {1, 2, V2_TRANSFORMS_MAX};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct v2_sa sa = sa_of(proposals[i], transforms[i]);
        struct v2_sa again = {0};
        assert_int_equal(v2_sa_parse(&again, sa_write(&sa), NULL), STATUS_OK);
        assert_int_equal(again.count, sa.count);
        for (size_t j = 0; j < sa.count; j++) {
            assert_int_equal(again.proposals[j].transform_count, transforms[i]);
            assert_memory_equal(again.proposals[j].spi, sa.proposals[j].spi, V2_SPI_MAX);
            for (size_t k = 0; k < transforms[i]; k++) {
                const struct v2_transform *a = &sa.proposals[j].transforms[k];
                const struct v2_transform *b = &again.proposals[j].transforms[k];
                assert_true(a->type == b->type && a->id == b->id && a->key_bits == b->key_bits);
                assert_false(b->unknown_attribute);
            }
        }
    }
}

static void the_written_octets_are_the_rfcs(void **state)
{
    struct v2_sa sa;
    (void)state;

    assert_int_equal(v2_sa_parse(&sa, bytes_hex(golden), NULL), STATUS_OK);
    sa.count = 1;
    assert_bytes(sa_write(&sa), "00 00 003c 01 03 04 05 052357bb"
                                "  03 00 000c 01 00 000c 800e 0080"
                                "  03 00 000c 01 00 000c 800e 0100"
                                "  03 00 0008 03 00 0002"
                                "  03 00 0008 05 00 0001"
                                "  00 00 0008 05 00 0000");
}

static void past_the_maximum_they_are_checked_but_not_kept(void **state)
{
    struct v2_sa sa = sa_of(V2_PROPOSALS_MAX, 1);
    struct slice full = sa_write(&sa);
    struct slice more = bytes_hex("00000014 11030401 052357bb 00000008 05000000");
    size_t last_at = full.size - full.size / V2_PROPOSALS_MAX;
    struct slice bytes = bytes_join(bytes_with(full, last_at, 2), more);
    struct v2_sa again;
    (void)state;

    assert_int_equal(v2_sa_parse(&again, bytes, NULL), STATUS_OK);
    assert_int_equal(again.count, V2_PROPOSALS_MAX);
    assert_int_equal(again.proposals[V2_PROPOSALS_MAX - 1].number, V2_PROPOSALS_MAX);
    assert_rejected(v2_sa_parse(&again, bytes_with(bytes, full.size + 4, 0x12), &reason),
                    V2_N_INVALID_SYNTAX);
    assert_rejected(v2_sa_parse(&again, bytes_with(bytes, full.size + 15, 0x09), &reason),
                    V2_N_INVALID_SYNTAX);

    /* A transform beyond the maximum, slipped in before the last. */
    sa = sa_of(1, V2_TRANSFORMS_MAX);
    full = sa_write(&sa);
    struct slice head = bytes_cut(full, 16);
    struct slice tail = bytes_cut(slice_of(full.data + 16, full.size - 16), full.size - 16);
    bytes = bytes_join(bytes_join(head, bytes_hex("03000008 01000001")), tail);
    bytes = bytes_with(bytes, 2, (uint8_t)(bytes.size >> 8));
    bytes = bytes_with(bytes, 3, (uint8_t)bytes.size);
    bytes = bytes_with(bytes, 7, V2_TRANSFORMS_MAX + 1);
    assert_int_equal(v2_sa_parse(&again, bytes, NULL), STATUS_OK);
    assert_int_equal(again.proposals[0].transform_count, V2_TRANSFORMS_MAX);
    assert_int_equal(again.proposals[0].transforms[0].id, 1);
    assert_rejected(v2_sa_parse(&again, bytes_cut(bytes, bytes.size - 1), &reason),
                    V2_N_INVALID_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_example_is_read),
        cmocka_unit_test(no_part_of_it_is_whole),
        cmocka_unit_test(lying_lengths_and_counts_are_refused),
        cmocka_unit_test(other_malformed_payloads_are_refused),
        cmocka_unit_test(numbers_do_not_wrap),
        cmocka_unit_test(reserved_octets_are_ignored),
        cmocka_unit_test(an_answer_may_have_any_number),
        cmocka_unit_test(spi_sizes_go_with_protocols),
        cmocka_unit_test(strange_attributes_bar_only_their_transform),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_written_octets_are_the_rfcs),
        cmocka_unit_test(past_the_maximum_they_are_checked_but_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
