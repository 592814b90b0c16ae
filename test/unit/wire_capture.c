/*
 * Real messages: what tcpdump's and a Windows client's captures hold, read, and written again
 * octet by octet (lib/wire/ikev2.h).
 */
#include <stdio.h>

#include "lib/wire/ikev2.h"
#include "test/unit/bytes.h"
#include "test/unit/pcap.h"

struct message {
    struct ike_header header;
    struct v2_payloads payloads;
};

static struct message message_read(struct slice datagram)
{
    struct message message;
    struct reader reader = reader_of(datagram);
    uint8_t critical;

    assert_int_equal(ike_header_parse(&message.header, datagram, NULL), STATUS_OK);
    reader_skip(&reader, IKE_HEADER_SIZE);
    assert_int_equal(v2_payloads_parse(&message.payloads, message.header.next_payload,
                                       reader_rest(&reader), &critical, NULL),
                     STATUS_OK);
    return message;
}

static void assert_types(const struct v2_payloads *payloads, const char *hex)
{
    uint8_t types[V2_PAYLOADS_MAX];

    for (size_t i = 0; i < payloads->count; i++)
        types[i] = payloads->items[i].type;
    assert_bytes(slice_of(types, payloads->count), hex);
}

static struct slice body_of(const struct message *message, uint8_t type)
{
    const struct v2_payload_item *item = v2_payloads_find(&message->payloads, type, NULL);

    assert_non_null(item);
    return item->body;
}

static void assert_proposal(const struct v2_proposal *proposal, const char *transforms)
{
    char text[256] = "";
    size_t at = 0;

    assert_int_equal(proposal->protocol, V2_PROTOCOL_IKE);
    assert_int_equal(proposal->spi_size, 0);
    for (size_t i = 0; i < proposal->transform_count; i++) {
        const struct v2_transform *transform = &proposal->transforms[i];
        assert_false(transform->unknown_attribute);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u:%u", i > 0 ? " " : "",
                               transform->type, transform->id);
        if (transform->key_bits != 0)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "/%u", transform->key_bits);
    }
    assert_string_equal(text, transforms);
}

/* Its payloads are marked critical, which says nothing where the type is known. */
static void tcpdump_init(void **state)
{
    struct pcap pcap = pcap_read("ikev2pI2.pcap");
    struct message message = message_read(pcap.datagrams[0]);
    struct v2_sa sa;
    struct v2_ke ke;
    struct slice nonce;
    (void)state;

    assert_int_equal(pcap.count, 2);
    assert_true(message.header.spi_i == 0x0001020304050607);
    assert_true(message.header.spi_r == 0);
    assert_int_equal(message.header.version, 0x20);
    assert_int_equal(message.header.exchange, V2_IKE_SA_INIT);
    assert_int_equal(message.header.flags, V2_FLAG_INITIATOR);
    assert_int_equal(message.header.message_id, 0);
    assert_types(&message.payloads, "2122282b");
    assert_true(message.payloads.items[0].critical);
    assert_false(message.payloads.items[1].critical);

    assert_int_equal(v2_sa_parse(&sa, body_of(&message, V2_SA), NULL), STATUS_OK);
    assert_int_equal(sa.count, 6);
    assert_proposal(&sa.proposals[0], "1:12 3:2 2:2 4:5");
    assert_proposal(&sa.proposals[5], "1:3 3:2 2:1 4:2");
    assert_int_equal(v2_ke_parse(&ke, body_of(&message, V2_KE), NULL), STATUS_OK);
    assert_int_equal(ke.group, 5);
    assert_int_equal(ke.data.size, 192);
    assert_bytes(bytes_cut(ke.data, 4), "ffbc6a92");
    assert_int_equal(v2_nonce_parse(&nonce, body_of(&message, V2_NONCE), NULL), STATUS_OK);
    assert_bytes(nonce, "b5ce8419095c6e2b6b62d3055305b3c4");
    assert_bytes(body_of(&message, V2_VENDOR), "4f45726c415c6e51756b5352");
}

static void tcpdump_auth(void **state)
{
    struct pcap pcap = pcap_read("ikev2pI2.pcap");
    struct message message = message_read(pcap.datagrams[1]);
    struct slice body = body_of(&message, V2_SK);
    (void)state;

    assert_true(message.header.spi_r == 0xc02e7a3031a03188);
    assert_int_equal(message.header.exchange, V2_IKE_AUTH);
    assert_types(&message.payloads, "2e");
    assert_int_equal(message.payloads.sk_next, V2_IDI);
    assert_int_equal(body.size, 252);
    assert_bytes(bytes_cut(body, 16), "000102030405060708090a0b0c0d0e0f");
}

/* Writes a payload from its parsed form, so that equality proves reader and writer. */
static void payload_rewrite(struct v2_writer *writer, const struct v2_payload_item *item)
{
    struct v2_notify_body notify;
    struct slice nonce;
    struct v2_sa sa;
    struct v2_ke ke;

    switch (item->type) {
    case V2_SA:
        assert_int_equal(v2_sa_parse(&sa, item->body, NULL), STATUS_OK);
        v2_write_sa(writer, &sa);
        break;
    case V2_KE:
        assert_int_equal(v2_ke_parse(&ke, item->body, NULL), STATUS_OK);
        v2_write_ke(writer, ke.group, ke.data);
        break;
    case V2_NONCE:
        assert_int_equal(v2_nonce_parse(&nonce, item->body, NULL), STATUS_OK);
        v2_write_nonce(writer, nonce);
        break;
    case V2_NOTIFY:
        assert_int_equal(v2_notify_parse(&notify, item->body, NULL), STATUS_OK);
        v2_write_notify(writer, notify.protocol, notify.spi, notify.type, notify.data);
        break;
    case V2_VENDOR:
        v2_payload_begin(writer, V2_VENDOR);
        writer_bytes(&writer->bytes, item->body);
        break;
    default: fail_msg("payload %s is not in this capture", v2_payload_name(item->type));
    }
}

static void assert_rewritten(struct slice datagram)
{
    struct message message = message_read(datagram);
    struct v2_writer writer;
    uint8_t room[2048];

    v2_message_begin(&writer, room, sizeof(room), &message.header);
    for (size_t i = 0; i < message.payloads.count; i++)
        payload_rewrite(&writer, &message.payloads.items[i]);
    assert_true(v2_message_end(&writer));
    assert_slices(writer_slice(&writer.bytes), datagram);
}

static void windows_init_is_written_again_as_it_was(void **state)
{
    struct pcap pcap = pcap_read("ipsec_client.pcap");
    (void)state;

    assert_rewritten(pcap.datagrams[0]);
    assert_rewritten(pcap.datagrams[1]);
}

static void windows_init_means_what_tcpdump_says(void **state)
{
    struct pcap pcap = pcap_read("ipsec_client.pcap");
    struct message request = message_read(pcap.datagrams[0]);
    struct message reply = message_read(pcap.datagrams[1]);
    struct v2_sa sa;
    struct v2_notify_body notify;
    (void)state;

    assert_int_equal(pcap.count, 5);
    assert_types(&request.payloads, "2122 28 2929 2b2b2b2b");
    assert_int_equal(v2_sa_parse(&sa, body_of(&request, V2_SA), NULL), STATUS_OK);
    assert_int_equal(sa.count, 12);
    assert_proposal(&sa.proposals[0], "1:3 3:2 2:2 4:2");
    assert_proposal(&sa.proposals[11], "1:12/256 3:13 2:6 4:2");
    assert_int_equal(sa.proposals[11].number, 12);

    assert_int_equal(reply.header.flags, V2_FLAG_RESPONSE);
    assert_types(&reply.payloads, "2122 28 292929");
    const struct v2_payload_item *item = NULL;
    static const uint16_t types[] = {16388, 16389, 16404};
    static const size_t sizes[] = {20, 20, 0};
    for (size_t i = 0; i < 3; i++) {
        item = v2_payloads_find(&reply.payloads, V2_NOTIFY, item);
        assert_non_null(item);
        assert_int_equal(v2_notify_parse(&notify, item->body, NULL), STATUS_OK);
        assert_int_equal(notify.type, types[i]);
        assert_int_equal(notify.data.size, sizes[i]);
    }
    assert_null(v2_payloads_find(&reply.payloads, V2_NOTIFY, item));
}

/* Port 4500, so four zero octets stand before each message. */
static void windows_auth_is_one_long_sk(void **state)
{
    struct pcap pcap = pcap_read("ipsec_client.pcap");
    (void)state;

    for (size_t i = 2; i < pcap.count; i++) {
        struct reader reader = reader_of(pcap.datagrams[i]);
        assert_int_equal(reader_u32(&reader), 0);
        struct message message = message_read(reader_rest(&reader));
        assert_int_equal(message.header.length, 3468);
        assert_int_equal(message.header.message_id, 1);
        assert_types(&message.payloads, "2e");
        assert_int_equal(message.payloads.sk_next, V2_IDI);
        assert_int_equal(body_of(&message, V2_SK).size, 3468 - IKE_HEADER_SIZE - 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcpdump_init),
        cmocka_unit_test(tcpdump_auth),
        cmocka_unit_test(windows_init_is_written_again_as_it_was),
        cmocka_unit_test(windows_init_means_what_tcpdump_says),
        cmocka_unit_test(windows_auth_is_one_long_sk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
