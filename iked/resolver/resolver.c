/*
 * Resolving names in a process of its own: see resolver.h.
 */
#include "iked/resolver/resolver.h"

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

#include "iked/process/privilege.h"
#include "iked/process/resolver_ipc.h"
#include "iked/process/sandbox.h"
#include "iked/process/sockaddr.h"
#include "iked/process/start.h"

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
