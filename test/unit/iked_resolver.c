/*
 * The messages between keeper and resolver (resolver_ipc.h): what one end writes the other reads,
 * and nothing else.
 */
#include "iked/process/resolver_ipc.h"

#include <string.h>

#include "test/unit/policy.h"

static uint8_t room[RESOLVER_DATAGRAM_MAX];

static struct slice written_question(const struct resolver_question *question)
{
    struct writer writer = writer_of(room, sizeof(room));

    assert_true(resolver_question_write(&writer, question));
    return writer_slice(&writer);
}

static struct slice written_reply(const struct resolver_reply *reply)
{
    struct writer writer = writer_of(room, sizeof(room));

    assert_true(resolver_reply_write(&writer, reply));
    return writer_slice(&writer);
}

static void a_question_arrives(void **state)
{
    struct resolver_question question = {
        .number = 7, .family = FAMILY_IPV6, .host = "gw.example.net"};
    struct resolver_question read;
    (void)state;

    assert_true(resolver_question_read(written_question(&question), &read));
    assert_int_equal(read.number, 7);
    assert_int_equal(read.family, FAMILY_IPV6);
    assert_string_equal(read.host, "gw.example.net");
    memset(question.host, 'x', CONFIG_HOST_MAX);
    assert_true(resolver_question_read(written_question(&question), &read));
    question.host[0] = '\n';
    assert_false(resolver_question_read(written_question(&question), &read));
    question.host[0] = '\0';
    assert_false(resolver_question_read(written_question(&question), &read));
    question = (struct resolver_question){.family = 9, .host = "gw"};
    assert_false(resolver_question_read(written_question(&question), &read));
}

static void a_reply_arrives(void **state)
{
    struct resolver_reply reply = {.number = 8, .count = CONFIG_RESOLVED_MAX, .why = "why not"};
    struct resolver_reply read;
    (void)state;

    for (size_t i = 0; i < CONFIG_RESOLVED_MAX; i++)
        reply.addresses[i] = policy_address(i % 2 == 0 ? "192.0.2.1" : "2001:db8::1");
    struct slice bytes = written_reply(&reply);
    assert_true(resolver_reply_read(bytes, &read));
    assert_int_equal(read.number, 8);
    assert_int_equal(read.count, CONFIG_RESOLVED_MAX);
    assert_address(read.addresses[0], "192.0.2.1");
    assert_address(read.addresses[7], "2001:db8::1");
    assert_string_equal(read.why, "why not");
    for (size_t size = 0; size < bytes.size; size++)
        assert_false(resolver_reply_read(slice_of(bytes.data, size), &read));
    assert_false(resolver_reply_read(slice_of(bytes.data, bytes.size + 1), &read));
    /* One address more than there is room for, before the text. */
    size_t text_size = 2 + strlen("why not");
    struct slice first = slice_of(bytes.data + 5, 1 + 4);
    struct slice text = slice_of(bytes.data + bytes.size - text_size, text_size);
    struct slice more = bytes_join(slice_of(bytes.data, bytes.size - text_size), first);
    more = bytes_with(bytes_join(more, text), 4, CONFIG_RESOLVED_MAX + 1);
    assert_false(resolver_reply_read(more, &read));
    room[5] = 5; /* a family */
    assert_false(resolver_reply_read(bytes, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_arrives),
        cmocka_unit_test(a_reply_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
