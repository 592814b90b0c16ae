/*
 * Words to the negotiator: see notify.h.
 */
#include "iked/keeper/notify.h"

#include <string.h>

#include "iked/process/log.h"

static void put(struct channel *channel, struct ipc_message *message)
{
    if (channel != NULL && !channel_put(channel, message))
        log_line(SEVERITY_ERROR, "a message of kind %s cannot be told to the negotiator",
                 ipc_kind_name(message->kind));
}

bool notify_hello(struct channel *channel, const struct sockets *sockets, bool kernel_none)
{
    struct ipc_message message = {
        .kind = IPC_HELLO,
        .hello.log_level = (uint8_t)log_level(),
        .hello.kernel_none = kernel_none,
        .hello.socket_count = (uint8_t)sockets->count,
    };

    memcpy(message.hello.sockets, sockets->descriptions, sizeof(message.hello.sockets));
    put(channel, &message);
    return channel_flush_with(channel, sockets->fds, sockets->count);
}

static void notify_file(struct channel *channel, const struct config_text *file)
{
    struct ipc_message message = {.kind = IPC_CONFIG_PART};
    size_t at = 0;

    ipc_text(message.config_part.path, sizeof(message.config_part.path), file->path);
    do {
        size_t size = file->text.size - at;
        size = size < IPC_CHUNK_MAX ? size : IPC_CHUNK_MAX;
        message.config_part.text = slice_of(file->text.data + at, size);
        at += size;
        message.config_part.last = at == file->text.size;
        put(channel, &message);
    } while (!message.config_part.last);
}

void notify_config(struct channel *channel, const struct files *files,
                   const struct ipc_config_end *end)
{
    struct ipc_message message = {.kind = IPC_CONFIG_END, .config_end = *end};

    for (size_t i = 0; i < files->count; i++)
        notify_file(channel, &files->texts[i]);
    put(channel, &message);
}

void notify_refused(struct channel *channel, uint64_t number, const char *text)
{
    struct ipc_message message = {.kind = IPC_REFUSED, .refused.number = number};

    ipc_text(message.refused.text, sizeof(message.refused.text), text);
    put(channel, &message);
}

void notify_answer(struct channel *channel, struct answer *answer)
{
    struct ipc_message message = {.kind = IPC_ANSWER, .answer = *answer};

    put(channel, &message);
}

void notify_event(struct channel *channel, const struct kernel_event *event)
{
    struct ipc_message message = {.kind = IPC_EVENT, .event = *event};

    put(channel, &message);
}

void notify_trouble(struct channel *channel, const struct name *connection, const char *text)
{
    struct ipc_message message = {.kind = IPC_TROUBLE, .trouble.connection = *connection};

    ipc_text(message.trouble.text, sizeof(message.trouble.text), text);
    put(channel, &message);
}

void notify_shutdown(struct channel *channel)
{
    struct ipc_message message = {.kind = IPC_SHUTDOWN};

    put(channel, &message);
}

void notify_flush(struct channel *channel)
{
    if (channel != NULL)
        channel_flush(channel);
}
