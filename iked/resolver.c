/*
 * Resolving names in a process of its own: see resolver.h.
 */
#include "iked/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iked/keeper/privilege.h"
#include "iked/keeper/process.h"
#include "iked/sandbox.h"
#include "iked/sockaddr.h"

/* --- Messages --- */

static void write_text(struct writer *writer, const char *text)
{
    struct slice slice = slice_text(text);

    writer_u16(writer, (uint16_t)slice.size);
    writer_bytes(writer, slice);
}

/* Printable text that fits, as a string. */
static bool read_text(struct reader *reader, char *text, size_t size)
{
    struct slice slice = reader_bytes(reader, reader_u16(reader));

    if (!reader_ok(reader) || slice.size >= size)
        return false;
    for (size_t i = 0; i < slice.size; i++) {
        if (slice.data[i] < ' ' || slice.data[i] > '~')
            return false;
        text[i] = (char)slice.data[i];
    }
    text[slice.size] = '\0';
    return true;
}

bool resolver_question_write(struct writer *writer, const struct resolver_question *question)
{
    writer_u32(writer, question->number);
    writer_u8(writer, question->family);
    write_text(writer, question->host);
    return writer_ok(writer);
}

bool resolver_question_read(struct slice bytes, struct resolver_question *question)
{
    struct reader reader = reader_of(bytes);

    question->number = reader_u32(&reader);
    question->family = reader_u8(&reader);
    return read_text(&reader, question->host, sizeof(question->host)) && reader_done(&reader) &&
           question->host[0] != '\0' &&
           (question->family == FAMILY_NONE || address_size(question->family) > 0);
}

bool resolver_reply_write(struct writer *writer, const struct resolver_reply *reply)
{
    writer_u32(writer, reply->number);
    writer_u8(writer, reply->count);
    for (size_t i = 0; i < reply->count; i++) {
        writer_u8(writer, reply->addresses[i].family);
        writer_bytes(writer, address_bytes(&reply->addresses[i]));
    }
    write_text(writer, reply->why);
    return writer_ok(writer);
}

bool resolver_reply_read(struct slice bytes, struct resolver_reply *reply)
{
    struct reader reader = reader_of(bytes);

    *reply = (struct resolver_reply){.number = reader_u32(&reader)};
    reply->count = reader_u8(&reader);
    if (reply->count > CONFIG_RESOLVED_MAX)
        return false;
    for (size_t i = 0; i < reply->count; i++) {
        struct address *address = &reply->addresses[i];
        address->family = reader_u8(&reader);
        if (address_size(address->family) == 0)
            return false;
        reader_copy(&reader, address->bytes, address_size(address->family));
    }
    return read_text(&reader, reply->why, sizeof(reply->why)) && reader_done(&reader);
}

/* --- Asking the system --- */

static void answer(const struct resolver_question *question, struct resolver_reply *reply)
{
    struct addrinfo hints = {
        .ai_family = question->family == FAMILY_IPV4   ? AF_INET
                     : question->family == FAMILY_IPV6 ? AF_INET6
                                                       : AF_UNSPEC,
        .ai_socktype = SOCK_DGRAM,
    };
    struct addrinfo *list = NULL;
    const struct addrinfo *item;

    *reply = (struct resolver_reply){.number = question->number};
    int error = getaddrinfo(question->host, NULL, &hints, &list);
    if (error != 0) {
        snprintf(reply->why, sizeof(reply->why), "%s",
                 error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return;
    }
    for (item = list; item != NULL && reply->count < CONFIG_RESOLVED_MAX; item = item->ai_next)
        if (sockaddr_read(item->ai_addr, &reply->addresses[reply->count]))
            reply->count++;
    freeaddrinfo(list);
    if (reply->count == 0)
        snprintf(reply->why, sizeof(reply->why), "no address");
}

/* --- The process --- */

/* Files and the network are what it is for, so that user and capabilities are all that can go.
 * What libc brings in to look names up (nsswitch.conf(5)) may want to write a file: that fails,
 * and is no reason to die. */
static bool drop_rights(const struct options *options)
{
    const struct sandbox sandbox = {.uid = options->uid, .gid = options->gid};
    struct rlimit none = {0, 0};
    struct reason reason;

    if (sandbox_become_user(&sandbox, &reason) != STATUS_OK ||
        setrlimit(RLIMIT_FSIZE, &none) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return false;
    privilege_hide();
    return true;
}

int resolver_run(const struct options *options)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
    uint8_t bytes[RESOLVER_DATAGRAM_MAX];
    struct resolver_question question;
    struct resolver_reply reply;

    /* Terminals send these to all processes of a job, but it is the keeper who decides. */
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_IGN);
    sandbox_close_from(PROCESS_CHANNEL_FD + 1);
    if (!drop_rights(options) || fcntl(PROCESS_CHANNEL_FD, F_SETFL, 0) != 0) /* it may block */
        return EXIT_FAILURE;
    for (;;) {
        ssize_t size = recv(PROCESS_CHANNEL_FD, bytes, sizeof(bytes), 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        if (!resolver_question_read(slice_of(bytes, (size_t)size), &question))
            return EXIT_FAILURE;
        answer(&question, &reply);
        struct writer writer = writer_of(bytes, sizeof(bytes));
        if (!resolver_reply_write(&writer, &reply) ||
            send(PROCESS_CHANNEL_FD, bytes, writer.size, MSG_NOSIGNAL) < 0)
            return EXIT_FAILURE;
    }
}
