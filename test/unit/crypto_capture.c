/*
 * A captured IKE_AUTH request, opened with the keys that were noted beside it: AES-128-CBC with
 * HMAC-SHA1-96, RFC 7296 section 3.14.
 *
 * Its sender, a test program, left the headers out of the MAC.  So the message opens when what is
 * sealed begins at the IV, and is to be dropped when it begins where the RFC says.
 *
 * Only as much of pcap and IKE is read as leads to the Encrypted payload: lib/wire has its own
 * tests.
 */
#include "lib/crypto/crypto.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/reader.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"
#include "test/unit/shared.h"

#define FILE_MAX      4096
#define HEADERS       (28 + 4) /* of IKE and of the Encrypted payload */
#define SK_PAYLOAD    46
#define IKE_AUTH      35
#define PCAP_HEADER   24
#define PCAP_PACKET   16
#define LINK_AND_IPV4 (4 + 20)
#define UDP_HEADER    8

static struct slice file_read(const char *name)
{
    static uint8_t octets[FILE_MAX];
    FILE *file = fopen(shared_file(name), "rb");

    assert_non_null(file);
    size_t size = fread(octets, 1, sizeof(octets), file);
    fclose(file);
    assert_in_range(size, 1, sizeof(octets) - 1);
    return bytes_cut(slice_of(octets, sizeof(octets)), size);
}

/* pcap writes the length in the host's order: this file's is little-endian. */
static size_t reader_little_u32(struct reader *reader)
{
    struct slice octets = reader_bytes(reader, 4);

    assert_int_equal(octets.size, 4);
    return (size_t)octets.data[0] | (size_t)octets.data[1] << 8 | (size_t)octets.data[2] << 16;
}

/* The second message of the capture, from its IKE header on. */
static struct slice auth_message(void)
{
    struct reader file = reader_of(file_read("captures/ikev2pI2.pcap"));

    reader_skip(&file, PCAP_HEADER + 8);
    reader_skip(&file, reader_little_u32(&file) + PCAP_PACKET - 12);
    reader_skip(&file, 8);
    size_t size = reader_little_u32(&file);
    reader_skip(&file, 4);
    struct reader packet = reader_part(&file, size);
    reader_skip(&packet, LINK_AND_IPV4 + UDP_HEADER);
    struct slice message = reader_rest(&packet);
    assert_true(reader_done(&file));
    struct reader header = reader_of(message);
    reader_skip(&header, 16);
    assert_int_equal(reader_u8(&header), SK_PAYLOAD);
    reader_skip(&header, 1);
    assert_int_equal(reader_u8(&header), IKE_AUTH);
    reader_skip(&header, 5);
    assert_int_equal(reader_u32(&header), message.size);
    return message;
}

/* The keys of one `side`, 'I' or 'R': "ikev2 SIDE SPI SPI sha1:0x... aes128:0x...". */
static struct seal_keys keys_of(char side)
{
    char integ[41] = "", encr[33] = "";
    FILE *file = fopen(shared_file("captures/ikev2pI2-secrets.txt"), "r");
    char line[256], found;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "ikev2 %c %*s %*s sha1:0x%40s aes128:0x%32s", &found, integ, encr) == 3 &&
            found == side)
            break;
    fclose(file);
    return (struct seal_keys){
        .encr = ENCR_AES128_CBC,
        .integ = INTEG_HMAC_SHA1_96,
        .encr_key = bytes_hex(encr),
        .integ_key = bytes_hex(integ),
    };
}

/* The part of the message from `start` on, which has `aad_size` octets of associated data. */
static enum status message_open(const struct seal_keys *keys, struct slice message, size_t start,
                                size_t aad_size, uint8_t *data, struct slice *text)
{
    size_t around = aad_size + encr_info(keys->encr)->iv_size;
    size_t size = message.size - start;
    size_t text_size = size - around - seal_icv_size(keys->encr, keys->integ);

    memcpy(data, message.data + start, size);
    *text = slice_of(data + around, text_size);
    return seal_decrypt(crypto, keys, data, aad_size, text_size);
}

static void opens_a_captured_message(void **state)
{
    struct slice message = auth_message();
    struct seal_keys keys = keys_of('I');
    uint8_t data[FILE_MAX];
    struct slice text;
    (void)state;

    assert_int_equal(message_open(&keys, message, HEADERS, 0, data, &text), STATUS_OK);
    struct reader reader = reader_of(text);
    /* IDi, AUTH follows: FQDN "west" */
    assert_bytes(reader_bytes(&reader, 12), "2700000c 02000000 77657374");
    /* AUTH, the last: an RSA signature of zeroes */
    assert_bytes(reader_bytes(&reader, 8), "000000c8 01000000");
    assert_slices(reader_bytes(&reader, 192), bytes_fill(0, 192));
    assert_bytes(reader_rest(&reader), "000102030405060708090a 0b");
}

static void drops_it_when_the_mac_has_to_cover_the_headers(void **state)
{
    struct slice message = auth_message();
    struct seal_keys keys = keys_of('I');
    uint8_t data[FILE_MAX];
    struct slice text;
    (void)state;

    assert_int_equal(message_open(&keys, message, 0, HEADERS, data, &text), STATUS_DROP);
}

static void drops_it_for_the_other_sides_keys(void **state)
{
    struct slice message = auth_message();
    struct seal_keys keys = keys_of('R');
    uint8_t data[FILE_MAX];
    struct slice text;
    (void)state;

    assert_int_equal(message_open(&keys, message, HEADERS, 0, data, &text), STATUS_DROP);
}

static void drops_it_with_any_octet_changed(void **state)
{
    struct slice message = auth_message();
    struct seal_keys keys = keys_of('I');
    uint8_t data[FILE_MAX];
    struct slice text;
    (void)state;

    for (size_t at = HEADERS; at < message.size; at++)
        assert_int_equal(message_open(&keys, bytes_with(message, at, message.data[at] ^ 1), HEADERS,
                                      0, data, &text),
                         STATUS_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_a_captured_message),
        cmocka_unit_test(drops_it_when_the_mac_has_to_cover_the_headers),
        cmocka_unit_test(drops_it_for_the_other_sides_keys),
        cmocka_unit_test(drops_it_with_any_octet_changed),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
