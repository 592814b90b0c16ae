/*
 * The messages between keeper and negotiator (iked/ipc.h): what goes in comes out, and nothing that
 * is cut, grown, bent or from the wrong side is taken.
 */
#include "iked/ipc.h"

#include <string.h>

#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

static struct name name_of(const char *text)
{
    struct name name = {""};

    ipc_text(name.text, sizeof(name.text), text);
    return name;
}

static struct buffer buffer_of(const char *hex)
{
    struct buffer buffer = {0};

    assert_true(buffer_copy(&buffer, bytes_hex(hex)));
    return buffer;
}

static struct secret secret_of(uint8_t octet, size_t size)
{
    struct secret secret = {0};

    assert_true(secret_copy(&secret, bytes_fill(octet, size)));
    return secret;
}

/* --- One message of each kind, every field with a value of its own --- */

static struct ipc_message hello(void)
{
    return (struct ipc_message){
        .kind = IPC_HELLO,
        .hello = {.log_level = SEVERITY_WARNING,
                  .socket_count = 2,
                  .sockets = {{IPC_ROLE_UDP, FAMILY_IPV6, 4500}, {IPC_ROLE_CONTROL, 0, 0}}},
    };
}

static struct ipc_message config_part(void)
{
    return (struct ipc_message){
        .kind = IPC_CONFIG_PART,
        .config_part = {.path = "/etc/iked/iked.conf", .last = true, .text = bytes_hex("00ff0a")},
    };
}

static struct ipc_message config_end(void)
{
    return (struct ipc_message){
        .kind = IPC_CONFIG_END,
        .config_end = {.generation = 7, .number = 0x1122334455667788, .dry_run = true},
    };
}

static struct ipc_message answer(void)
{
    struct ipc_message message = {
        .kind = IPC_ANSWER,
        .answer = {.kind = EFFECT_SIGN,
                   .ticket = {.sa = 3, .sequence = 9},
                   .status = STATUS_REJECT,
                   .auth = buffer_of("0102030405"),
                   .spi = 0xc1c2c3c4,
                   .source = policy_address("192.0.2.7"),
                   .packets = 1ull << 40,
                   .connection = name_of("db"),
                   .address_count = 2,
                   .addresses = {policy_address("192.0.2.8"), policy_address("2001:db8::8")}},
    };

    reason_set(&message.answer.reason, STATUS_REJECT, 24, "the peer's AUTH does not match");
    return message;
}

static struct ipc_message kernel_event(void)
{
    struct address host = policy_address("192.0.2.1");
    struct address peer = policy_address("2001:db8::2");

    return (struct ipc_message){
        .kind = IPC_EVENT,
        .event = {.kind = KERNEL_EXPIRE,
                  .connection = name_of("db"),
                  .child = name_of("lan"),
                  .local_packet = selector_host(&host),
                  .remote_packet = selector_host(&peer),
                  .destination = peer,
                  .source = host,
                  .spi = 0x01020304,
                  .protocol = V2_PROTOCOL_ESP,
                  .hard = true},
    };
}

static struct ipc_message trouble(void)
{
    return (struct ipc_message){
        .kind = IPC_TROUBLE,
        .trouble = {.connection = {"db"}, .text = "the kernel will not"},
    };
}

static struct ipc_message refused(void)
{
    return (struct ipc_message){.kind = IPC_REFUSED,
                                .refused = {.number = 5, .text = "iked.conf:3: syntax error"}};
}

static struct ipc_message stop(void)
{
    return (struct ipc_message){.kind = IPC_SHUTDOWN};
}

static struct ipc_message effect_of(enum effect_kind kind)
{
    return (struct ipc_message){.kind = IPC_EFFECT,
                                .effect = {.kind = kind, .ticket = {.sa = 11, .sequence = 22}}};
}

static struct ipc_message sign(void)
{
    struct ipc_message message = effect_of(EFFECT_SIGN);

    message.effect.sign = (struct effect_sign){
        .connection = name_of("db"),
        .prf = PRF_HMAC_SHA384,
        .local_id = policy_identity("gw.example.net"),
        .remote_id = policy_identity("192.0.2.2"),
        .own_octets = buffer_of("aabb"),
        .peer_octets = buffer_of("ccddee"),
        .peer_auth = buffer_of("99"),
    };
    return message;
}

static struct ipc_message allocate_spi(void)
{
    struct ipc_message message = effect_of(EFFECT_ALLOCATE_SPI);

    message.effect.allocate_spi = (struct effect_allocate_spi){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .protocol = V2_PROTOCOL_ESP,
        .mode = CHILD_TUNNEL,
        .reqid = 0x69001122,
    };
    return message;
}

static struct ipc_message install_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_INSTALL_SA);

    message.effect.install_sa = (struct effect_install_sa){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .inbound = true,
        .encap = true,
        .source = policy_address("2001:db8::2"),
        .destination = policy_address("2001:db8::1"),
        .spi = 0xc0c1c2c3,
        .reqid = 0x69001122,
        .protocol = V2_PROTOCOL_ESP,
        .mode = CHILD_TRANSPORT,
        .encr = ENCR_AES256_CBC,
        .integ = INTEG_HMAC_SHA256_128,
        .esn = true,
        .replay_window = 128,
        .encr_key = secret_of(0x11, 32),
        .integ_key = secret_of(0x22, 32),
        .soft_s = 3000,
        .hard_s = 3600,
        .soft_bytes = 1ull << 40,
        .hard_bytes = 1ull << 41,
        .soft_packets = 1000000,
        .hard_packets = 2000000,
    };
    return message;
}

static struct ipc_message find_source(void)
{
    struct ipc_message message = effect_of(EFFECT_FIND_SOURCE);

    message.effect.find_source = (struct effect_find_source){
        .connection = name_of("db"),
        .remote = policy_address("192.0.2.2"),
    };
    return message;
}

static struct ipc_message move_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_MOVE_SA);
    struct effect_move_sa *move = &message.effect.move_sa;

    *move = (struct effect_move_sa){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .inbound = true,
        .encap = true,
        .spi = 0xc0c1c2c3,
        .protocol = V2_PROTOCOL_ESP,
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .new_source = policy_address("198.51.100.2"),
        .new_destination = policy_address("192.0.2.3"),
    };
    move->new_source.port = 4500;
    return message;
}

static struct ipc_message query_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_QUERY_SA);

    message.effect.query_sa = (struct effect_query_sa){
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .spi = 0xc0c1c2c3,
        .protocol = V2_PROTOCOL_ESP,
    };
    return message;
}

static struct ipc_message resolve(void)
{
    struct ipc_message message = effect_of(EFFECT_RESOLVE);

    message.effect.resolve = (struct effect_resolve){
        .connection = name_of("db"), .family = FAMILY_IPV6, .host = "gw.example.net"};
    return message;
}

static struct ipc_message remove_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_REMOVE_SA);

    message.effect.remove_sa = (struct effect_remove_sa){
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .spi = 0xc0c1c2c3,
        .protocol = V2_PROTOCOL_AH,
    };
    return message;
}

static struct ipc_message policy_effect(enum effect_kind kind)
{
    struct ipc_message message = effect_of(kind);
    struct address local = policy_address("10.1.0.1");
    struct address remote = policy_address("10.2.0.1");

    message.effect.policy = (struct effect_policy){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .local = policy_address("192.0.2.1"),
        .remote = policy_address("192.0.2.2"),
        .local_selector = selector_host(&local),
        .remote_selector = selector_host(&remote),
        .reqid = 0x69001122,
        .protocol = V2_PROTOCOL_ESP,
        .mode = CHILD_TUNNEL,
        .policy = POLICY_PREFER,
    };
    message.effect.policy.local_selector.protocol = 6;
    message.effect.policy.local_selector.port_start = 5432;
    message.effect.policy.local_selector.port_end = 5433;
    return message;
}

static struct ipc_message install_policy(void)
{
    return policy_effect(EFFECT_INSTALL_POLICY);
}

static struct ipc_message remove_policy(void)
{
    return policy_effect(EFFECT_REMOVE_POLICY);
}

static struct ipc_message remove_orphans(void)
{
    struct ipc_message message = effect_of(EFFECT_REMOVE_ORPHANS);

    message.effect.orphans_of = name_of("db");
    return message;
}

static struct ipc_message reload(void)
{
    return (struct ipc_message){.kind = IPC_RELOAD, .reload = {.number = 77, .dry_run = true}};
}

static struct ipc_message commit(void)
{
    return (struct ipc_message){.kind = IPC_COMMIT, .commit = 0x01020304};
}

static struct ipc_message bye(void)
{
    return (struct ipc_message){.kind = IPC_BYE};
}

static struct ipc_message log_text(void)
{
    return (struct ipc_message){.kind = IPC_LOG,
                                .log = {.severity = SEVERITY_ERROR, .text = "db: it went wrong"}};
}

static const struct {
    struct ipc_message (*make)(void);
    enum ipc_side from;
} samples[] = {
    {hello, IPC_KEEPER},
    {config_part, IPC_KEEPER},
    {config_end, IPC_KEEPER},
    {answer, IPC_KEEPER},
    {kernel_event, IPC_KEEPER},
    {trouble, IPC_KEEPER},
    {refused, IPC_KEEPER},
    {stop, IPC_KEEPER},
    {sign, IPC_NEGOTIATOR},
    {allocate_spi, IPC_NEGOTIATOR},
    {install_sa, IPC_NEGOTIATOR},
    {find_source, IPC_NEGOTIATOR},
    {move_sa, IPC_NEGOTIATOR},
    {query_sa, IPC_NEGOTIATOR},
    {resolve, IPC_NEGOTIATOR},
    {remove_sa, IPC_NEGOTIATOR},
    {install_policy, IPC_NEGOTIATOR},
    {remove_policy, IPC_NEGOTIATOR},
    {remove_orphans, IPC_NEGOTIATOR},
    {reload, IPC_NEGOTIATOR},
    {commit, IPC_NEGOTIATOR},
    {bye, IPC_NEGOTIATOR},
    {log_text, IPC_NEGOTIATOR},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static uint8_t room[IPC_DATAGRAM_MAX];

/* The encoded message, which is freed. */
static struct slice encoded(struct ipc_message message)
{
    struct writer writer = writer_of(room, sizeof(room));

    assert_true(ipc_encode(&writer, &message));
    ipc_message_free(&message);
    return bytes_cut(writer_slice(&writer), writer.size);
}

static bool decodes(struct slice bytes, enum ipc_side from, struct ipc_message *message)
{
    struct reader reader = reader_of(bytes);
    bool good = ipc_decode(&reader, from, message);

    return good && reader_done(&reader);
}

static bool taken(struct slice bytes, enum ipc_side from)
{
    struct ipc_message message;
    bool good = decodes(bytes, from, &message);

    if (good)
        ipc_message_free(&message);
    return good;
}

/* --- Tests --- */

static void every_kind_survives(void **state)
{
    bool seen[IPC_KIND_COUNT] = {false};
    (void)state;

    for (size_t i = 0; i < SAMPLES; i++) {
        struct slice bytes = encoded(samples[i].make());
        struct ipc_message message;
        assert_true(decodes(bytes, samples[i].from, &message));
        seen[message.kind] = true;
        assert_slices(encoded(message), bytes);
    }
    for (size_t i = 1; i < IPC_KIND_COUNT; i++)
        assert_true(seen[i]);
}

/* The octets themselves, so that both directions cannot be wrong together. */
static void layout_is_as_written(void **state)
{
    (void)state;
    assert_bytes(encoded(commit()), "0b 00000004 01020304");
    assert_bytes(encoded(config_end()), "03 0000000d 00000007 1122334455667788 01");
    assert_bytes(encoded(hello()), "01 0000000a 02 02 00 06 1194 01 00 0000");
    assert_bytes(encoded(remove_sa()), "09 00000020 0a 000000000000000b 00000016"
                                       "04 0000 c0000202 04 0000 c0000201 c0c1c2c3 02");
}

static void values_arrive(void **state)
{
    struct ipc_message message;
    (void)state;

    assert_true(decodes(encoded(install_sa()), IPC_NEGOTIATOR, &message));
    const struct effect_install_sa *sa = &message.effect.install_sa;
    assert_int_equal(message.effect.kind, EFFECT_INSTALL_SA);
    assert_int_equal(message.effect.ticket.sa, 11);
    assert_int_equal(message.effect.ticket.sequence, 22);
    assert_string_equal(sa->child.text, "lan");
    assert_address(sa->destination, "2001:db8::1");
    assert_true(sa->inbound && sa->esn);
    assert_int_equal(sa->encr, ENCR_AES256_CBC);
    assert_int_equal(sa->replay_window, 128);
    assert_true(sa->soft_s == 3000 && sa->hard_s == 3600);
    assert_true(sa->soft_bytes == 1ull << 40 && sa->hard_bytes == 1ull << 41);
    assert_true(sa->soft_packets == 1000000 && sa->hard_packets == 2000000);
    assert_slices(secret_slice(&sa->integ_key), bytes_fill(0x22, 32));
    ipc_message_free(&message);

    assert_true(decodes(encoded(sign()), IPC_NEGOTIATOR, &message));
    assert_identity(message.effect.sign.local_id, "gw.example.net");
    assert_bytes(buffer_slice(&message.effect.sign.peer_octets), "ccddee");
    ipc_message_free(&message);

    assert_true(decodes(encoded(config_part()), IPC_KEEPER, &message));
    assert_bytes(message.config_part.text, "00ff0a");
    assert_string_equal(message.config_part.path, "/etc/iked/iked.conf");
}

static void cut_ones_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct slice bytes = encoded(samples[i].make());
        for (size_t size = 0; size < bytes.size; size++)
            assert_false(taken(bytes_cut(bytes, size), samples[i].from));
    }
}

/* Also when the record's size says so: a body shorter or longer than its kind. */
static void sizes_that_lie_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct slice bytes = encoded(samples[i].make());
        uint8_t low = bytes.data[4];
        struct slice longer = bytes_join(bytes, bytes_hex("00"));
        assert_false(taken(bytes_with(longer, 4, (uint8_t)(low + 1)), samples[i].from));
        if (bytes.size > 5)
            assert_false(taken(bytes_with(bytes_cut(bytes, bytes.size - 1), 4, (uint8_t)(low - 1)),
                               samples[i].from));
    }
}

static void other_side_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        assert_false(taken(encoded(samples[i].make()),
                           samples[i].from == IPC_KEEPER ? IPC_NEGOTIATOR : IPC_KEEPER));
}

static void bent_values_are_refused(void **state)
{
    static const struct {
        struct ipc_message (*make)(void);
        size_t at;
        uint8_t octet;
    } rows[] = {
        {commit, 0, 0},               /* no kind */
        {commit, 0, IPC_KIND_COUNT},  /* a kind past the end */
        {config_end, 17, 2},          /* a bool that is neither */
        {hello, 5, SEVERITY_ERROR + 1}, /* enums past their ends */
        {hello, 6, IPC_SOCKETS_MAX + 1},
        {hello, 8, 5},     /* a family */
        {remove_sa, 5, 0}, /* effects that are not the keeper's */
        {remove_sa, 5, EFFECT_SEND},
        {remove_sa, 5, EFFECT_REPORT},
        {remove_sa, 5, 99},
        {remove_sa, 18, 7},         /* a family */
        {remove_orphans, 20, '\n'}, /* characters of names */
        {remove_orphans, 20, 0},
        {log_text, 8, 0x80},
        {answer, 5, EFFECT_REMOVE_SA}, /* what has no answer */
        {answer, 6, STATUS_FAIL + 1},
        {kernel_event, 5, 0},
        {kernel_event, 5, KERNEL_ADDRESSES + 1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice bytes = encoded(rows[i].make());
        enum ipc_side from = bytes.data[0] < IPC_EFFECT ? IPC_KEEPER : IPC_NEGOTIATOR;
        assert_true(taken(bytes, from));
        if (taken(bytes_with(bytes, rows[i].at, rows[i].octet), from))
            fail_msg("row %zu is taken", i);
    }
}

/* Longer than its maximum: neither written nor read. */
static void large_parts_are_refused(void **state)
{
    struct ipc_message message = sign();
    struct writer writer = writer_of(room, sizeof(room));
    (void)state;

    assert_true(buffer_copy(&message.effect.sign.own_octets, bytes_fill(1, IPC_OCTETS_MAX)));
    assert_true(buffer_copy(&message.effect.sign.peer_octets, bytes_fill(2, IPC_OCTETS_MAX)));
    assert_true(taken(encoded(message), IPC_NEGOTIATOR));

    message = sign();
    assert_true(buffer_copy(&message.effect.sign.own_octets, bytes_fill(1, IPC_OCTETS_MAX + 1)));
    assert_false(ipc_encode(&writer, &message));
    assert_int_equal(writer.size, 0);
    ipc_message_free(&message);

    message = config_part();
    message.config_part.text = bytes_fill('#', IPC_CHUNK_MAX + 1);
    assert_false(ipc_encode(&writer, &message));
    message.config_part.text = bytes_fill('#', IPC_CHUNK_MAX);
    assert_true(ipc_encode(&writer, &message));
}

/* A name has 63 characters at most, also when the other end thinks otherwise. */
static void long_names_are_refused(void **state)
{
    struct slice head = bytes_hex("09 00000051 0d 0000000000000000 00000000 0040");
    struct slice longer = bytes_join(head, bytes_fill('a', 64));
    struct slice name = bytes_with(bytes_with(bytes_cut(longer, longer.size - 1), 19, 63), 4, 0x4e);
    (void)state;

    assert_true(taken(name, IPC_NEGOTIATOR));
    assert_false(taken(bytes_with(longer, 4, 0x4f), IPC_NEGOTIATOR));
}

static void full_datagram_takes_no_more(void **state)
{
    struct writer writer = writer_of(room, 9 + 8);
    struct ipc_message message = commit();
    (void)state;

    assert_true(ipc_encode(&writer, &message));
    assert_false(ipc_encode(&writer, &message));
    assert_bytes(writer_slice(&writer), "0b 00000004 01020304");
}

static void a_batch_is_read_one_by_one(void **state)
{
    struct slice both = bytes_join(encoded(commit()), encoded(remove_orphans()));
    struct reader reader = reader_of(both);
    struct ipc_message message;
    (void)state;

    assert_true(ipc_decode(&reader, IPC_NEGOTIATOR, &message));
    assert_int_equal(message.commit, 0x01020304);
    assert_true(ipc_decode(&reader, IPC_NEGOTIATOR, &message));
    assert_string_equal(message.effect.orphans_of.text, "db");
    assert_true(reader_done(&reader));
}

/* Noise over good messages: whatever is taken must encode again. */
static void noise_is_survived(void **state)
{
    uint64_t random = 42;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        size_t i = bytes_random(&random) % SAMPLES;
        struct writer writer = writer_of(room, sizeof(room));
        struct ipc_message message = samples[i].make();
        assert_true(ipc_encode(&writer, &message));
        ipc_message_free(&message);
        for (int flips = 0; flips < 3; flips++)
            room[bytes_random(&random) % writer.size] ^= (uint8_t)(1u << bytes_random(&random) % 8);
        struct reader reader = reader_of(writer_slice(&writer));
        if (!ipc_decode(&reader, samples[i].from, &message))
            continue;
        uint8_t again[4096];
        struct writer second = writer_of(again, sizeof(again));
        assert_true(ipc_encode(&second, &message));
        ipc_message_free(&message);
    }
}

static void texts_are_cut_and_cleaned(void **state)
{
    char text[6];
    (void)state;

    ipc_text(text, sizeof(text),
             "a\nb\x7f"
             "cdef");
    assert_string_equal(text, "a?b?c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives),
        cmocka_unit_test(layout_is_as_written),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(cut_ones_are_refused),
        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(other_side_is_refused),
        cmocka_unit_test(bent_values_are_refused),
        cmocka_unit_test(large_parts_are_refused),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(full_datagram_takes_no_more),
        cmocka_unit_test(a_batch_is_read_one_by_one),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(texts_are_cut_and_cleaned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
