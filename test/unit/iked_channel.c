/*
 * The socket between keeper and negotiator (channel.h): batches, a slow reader, descriptors,
 * and ends that vanish or talk nonsense.
 */
#include "iked/process/channel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/unit/bytes.h"

struct end {
    struct channel *channel;
    uint32_t commits; /* IPC_COMMIT messages, in order from 1 */
    size_t datagrams;
    size_t octets;
    int fd; /* that came, -1: none */
    size_t closed;
    const char *why;
};

static struct event_base *base;
static struct end sender;
static struct end receiver;
static int raw_fd; /* the sender's side, where a test writes by hand */
static int raw_receiver_fd;

static bool on_received(void *context, struct slice datagram, const int *fds, size_t fd_count)
{
    struct end *end = context;
    struct reader reader = reader_of(datagram);
    struct ipc_message message;

    end->datagrams++;
    end->octets += datagram.size;
    if (fd_count > 0)
        end->fd = fds[0];
    while (reader_left(&reader) > 0) {
        if (!ipc_decode(&reader, IPC_NEGOTIATOR, &message))
            return false;
        if (message.kind == IPC_COMMIT)
            assert_int_equal(message.commit, ++end->commits);
        ipc_message_free(&message);
    }
    return true;
}

static void on_closed(void *context, const char *why)
{
    struct end *end = context;

    end->closed++;
    end->why = why;
}

static struct channel *open_end(struct end *end, int fd)
{
    struct channel_hooks hooks = {on_received, on_closed, end};

    *end = (struct end){.fd = -1};
    end->channel = channel_new(base, fd, &hooks);
    assert_non_null(end->channel);
    return end->channel;
}

static int set_up(void **state)
{
    int fds[2];

    (void)state;
    base = event_base_new();
    assert_non_null(base);
    assert_true(channel_pair(fds));
    open_end(&sender, fds[0]);
    open_end(&receiver, fds[1]);
    raw_fd = fds[0];
    raw_receiver_fd = fds[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    channel_free(sender.channel);
    channel_free(receiver.channel);
    event_base_free(base);
    return 0;
}

static void turn(int times)
{
    for (int i = 0; i < times; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static void put_commit(uint32_t number)
{
    struct ipc_message message = {.kind = IPC_COMMIT, .commit = number};

    assert_true(channel_put(sender.channel, &message));
}

static void messages_leave_together(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 100; i++)
        put_commit(i);
    turn(1);
    assert_int_equal(receiver.datagrams, 0);
    channel_flush(sender.channel);
    turn(1);
    assert_int_equal(receiver.datagrams, 1);
    assert_int_equal(receiver.commits, 100);
    channel_flush(sender.channel); /* nothing is nothing */
    turn(1);
    assert_int_equal(receiver.datagrams, 1);
}

static void full_datagrams_leave_by_themselves(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 20000; i++) /* 9 octets each: three datagrams */
        put_commit(i);
    channel_flush(sender.channel);
    turn(1);
    assert_int_equal(receiver.datagrams, 3);
    assert_int_equal(receiver.commits, 20000);
    assert_int_equal(receiver.octets, 180000);
}

/* Far more than the socket takes: it waits, in order, and nothing blocks. */
static void slow_readers_get_all_in_order(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 1000000; i++)
        put_commit(i);
    channel_flush(sender.channel);
    assert_true(channel_backlog(sender.channel) > CHANNEL_BACKLOG);
    assert_int_equal(receiver.datagrams, 0);
    turn(2000);
    assert_int_equal(receiver.commits, 1000000);
    assert_int_equal(channel_backlog(sender.channel), 0);
    assert_int_equal(sender.closed, 0);
}

/* What waits goes first, also when the socket has room again by the time of the next flush. */
static void nothing_overtakes_the_queue(void **state)
{
    static uint8_t datagram[IPC_DATAGRAM_MAX];
    (void)state;

    for (uint32_t i = 1; i <= 1000000; i++)
        put_commit(i);
    while (recv(raw_receiver_fd, datagram, sizeof(datagram), MSG_DONTWAIT) > 0) {
        struct reader reader = reader_of(slice_of(datagram, 9));
        struct ipc_message message;
        assert_true(ipc_decode(&reader, IPC_NEGOTIATOR, &message));
        receiver.commits = message.commit + IPC_DATAGRAM_MAX / 9 - 1;
    }
    put_commit(1000001);
    channel_flush(sender.channel);
    turn(2000);
    assert_int_equal(receiver.commits, 1000001);
}

static void who_never_reads_is_cut_off(void **state)
{
    static uint8_t filler[IPC_CHUNK_MAX];
    struct ipc_message message = {
        .kind = IPC_CONFIG_PART,
        .config_part = {.path = "x", .text = slice_of(filler, sizeof(filler))}};
    (void)state;

    for (size_t i = 0; i < CHANNEL_QUEUE_MAX / IPC_CHUNK_MAX + 200; i++)
        assert_true(channel_put(sender.channel, &message));
    assert_int_equal(sender.closed, 1);
    assert_string_equal(sender.why, "it reads too slowly");
    assert_true(channel_backlog(sender.channel) <= CHANNEL_QUEUE_MAX);
}

static void descriptors_come_with_the_first(void **state)
{
    int fds[2];
    char octet = 0;
    (void)state;

    assert_int_equal(pipe(fds), 0);
    put_commit(1);
    assert_true(channel_flush_with(sender.channel, &fds[0], 1));
    turn(1);
    assert_true(receiver.fd >= 0 && receiver.fd != fds[0]);
    assert_int_equal(fcntl(receiver.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(read(receiver.fd, &octet, 1), 1);
    assert_int_equal(octet, 'x');
    close(receiver.fd);
    close(fds[0]);
    close(fds[1]);
}

static void nonsense_closes(void **state)
{
    (void)state;
    assert_int_equal(send(raw_fd, "nonsense", 8, 0), 8);
    turn(1);
    assert_int_equal(receiver.closed, 1);
    assert_string_equal(receiver.why, "it sent what nobody can read");
    turn(5);
    assert_int_equal(receiver.closed, 1);
}

static void large_datagrams_close(void **state)
{
    static uint8_t large[IPC_DATAGRAM_MAX + 1];
    (void)state;

    assert_int_equal(send(raw_fd, large, sizeof(large), 0), sizeof(large));
    turn(1);
    assert_int_equal(receiver.datagrams, 0); /* it was cut: not even looked at */
    assert_int_equal(receiver.closed, 1);
}

static void an_end_that_goes_is_noticed_after_its_last_words(void **state)
{
    (void)state;
    put_commit(1);
    put_commit(2);
    channel_linger(sender.channel, 100);
    channel_free(sender.channel);
    sender.channel = NULL;
    channel_drain(receiver.channel);
    assert_int_equal(receiver.commits, 2);
    assert_int_equal(receiver.closed, 1);
    assert_null(receiver.why);
}

/* Neither that it has not read all, nor that it can be told nothing more, takes them away. */
static void last_words_are_heard_by_who_writes(void **state)
{
    struct ipc_message message = {.kind = IPC_COMMIT, .commit = 1};
    (void)state;

    put_commit(1);
    put_commit(2);
    channel_flush(sender.channel);
    assert_true(channel_put(receiver.channel, &message)); /* which is not read */
    channel_flush(receiver.channel);
    channel_free(sender.channel);
    sender.channel = NULL;
    assert_true(channel_put(receiver.channel, &message));
    channel_flush(receiver.channel);
    channel_drain(receiver.channel);
    assert_int_equal(receiver.commits, 2);
    assert_int_equal(receiver.closed, 1);
    assert_null(receiver.why);
}

static void unread_words_do_not_hide_others(void **state)
{
    struct ipc_message message = {.kind = IPC_COMMIT, .commit = 1};
    (void)state;

    put_commit(1);
    channel_flush(sender.channel);
    assert_true(channel_put(receiver.channel, &message));
    channel_flush(receiver.channel);
    channel_free(sender.channel);
    sender.channel = NULL;
    turn(2);
    assert_int_equal(receiver.commits, 1);
    assert_int_equal(receiver.closed, 1);
}

static void writing_to_nobody_closes(void **state)
{
    (void)state;
    channel_free(receiver.channel);
    receiver.channel = NULL;
    put_commit(1);
    channel_flush(sender.channel);
    assert_int_equal(sender.closed, 1);
    put_commit(2); /* harmless */
    channel_flush(sender.channel);
    assert_int_equal(sender.closed, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_leave_together),
        TEST(full_datagrams_leave_by_themselves),
        TEST(slow_readers_get_all_in_order),
        TEST(nothing_overtakes_the_queue),
        TEST(who_never_reads_is_cut_off),
        TEST(descriptors_come_with_the_first),
        TEST(nonsense_closes),
        TEST(large_datagrams_close),
        TEST(an_end_that_goes_is_noticed_after_its_last_words),
        TEST(last_words_are_heard_by_who_writes),
        TEST(unread_words_do_not_hide_others),
        TEST(writing_to_nobody_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
