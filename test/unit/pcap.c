/*
 * The UDP datagrams of a capture: see pcap.h.
 */
#include "test/unit/pcap.h"

#include <stdio.h>

#include "lib/base/reader.h"
#include "test/unit/shared.h"

#define FILE_MAX        65536
#define UDP_HEADER_SIZE 8
#define MORE_FRAGMENTS  0x2000

/* What stands before IPv4: LINKTYPE_NULL (an address family) and LINKTYPE_ETHERNET. */
static const size_t link_header_sizes[] = {[0] = 4, [1] = 14};

static struct slice file_read(const char *name)
{
    static uint8_t room[FILE_MAX];
    char path[64];

    snprintf(path, sizeof(path), "captures/%s", name);
    FILE *file = fopen(shared_file(path), "rb");
    assert_non_null(file);
    size_t size = fread(room, 1, sizeof(room), file);
    fclose(file);
    return bytes_cut(slice_of(room, size), size);
}

/* The file's own numbers; these captures are little-endian. */
static uint32_t reader_little(struct reader *reader)
{
    return __builtin_bswap32(reader_u32(reader));
}

/* The next packet's IPv4 part: its payload, and whether more fragments follow. */
static struct slice packet_read(struct reader *reader, uint32_t link, bool *more)
{
    reader_skip(reader, 8); /* the time */
    uint32_t captured_size = reader_little(reader);
    reader_skip(reader, 4); /* the size on the wire */
    struct reader packet = reader_part(reader, captured_size);

    reader_skip(&packet, link_header_sizes[link]);
    uint8_t version_and_size = reader_u8(&packet);
    reader_skip(&packet, 1);
    uint16_t total = reader_u16(&packet);
    reader_skip(&packet, 2);
    *more = (reader_u16(&packet) & MORE_FRAGMENTS) != 0;
    size_t header_size = 4 * (size_t)(version_and_size & 15);
    reader_skip(&packet, header_size - 8);
    return reader_bytes(&packet, total - header_size);
}

struct pcap pcap_read(const char *name)
{
    struct reader reader = reader_of(file_read(name));
    struct pcap pcap = {0};

    assert_int_equal(reader_little(&reader), 0xa1b2c3d4);
    reader_skip(&reader, 16);
    uint32_t link = reader_little(&reader);
    assert_in_range(link, 0, 1);
    while (reader_left(&reader) > 0) {
        struct slice whole = slice_of("", 0);
        bool more;
        do
            whole = bytes_join(whole, packet_read(&reader, link, &more));
        while (more && reader_ok(&reader));
        assert_true(pcap.count < PCAP_DATAGRAMS_MAX && whole.size >= UDP_HEADER_SIZE);
        struct reader udp = reader_of(whole);
        reader_skip(&udp, UDP_HEADER_SIZE);
        pcap.datagrams[pcap.count++] = reader_rest(&udp);
    }
    assert_true(reader_done(&reader));
    return pcap;
}
