/*
 * Words to the negotiator: see tell.h.
 */
#include "iked/keeper/tell.h"

#include <string.h>

#include "iked/log.h"

static void tell(struct channel *channel, struct ipc_message *message)
{
    if (channel != NULL && !channel_put(channel, message))
        log_line(SEVERITY_ERROR, "a message of kind %s cannot be told to the negotiator",
                 ipc_kind_name(message->kind));
}

bool tell_hello(struct channel *channel, const struct sockets *sockets, bool kernel_none)
{
    struct ipc_message message = {
        .kind = IPC_HELLO,
        .hello.log_level = (uint8_t)log_level(),
        .hello.kernel_none = kernel_none,
        .hello.socket_count = (uint8_t)sockets->count,
    };

    memcpy(message.hello.sockets, sockets->descriptions, sizeof(message.hello.sockets));
    tell(channel, &message);
    return channel_flush_with(channel, sockets->fds, sockets->count);
}

static void tell_file(struct channel *channel, const struct config_text *file)
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
        tell(channel, &message);
    } while (!message.config_part.last);
}

void tell_config(struct channel *channel, const struct files *files,
                 const struct ipc_config_end *end)
{
    struct ipc_message message = {.kind = IPC_CONFIG_END, .config_end = *end};

    for (size_t i = 0; i < files->count; i++)
        tell_file(channel, &files->texts[i]);
    tell(channel, &message);
}

void tell_refused(struct channel *channel, uint64_t number, const char *text)
{
    struct ipc_message message = {.kind = IPC_REFUSED, .refused.number = number};

    ipc_text(message.refused.text, sizeof(message.refused.text), text);
    tell(channel, &message);
}

void tell_answer(struct channel *channel, struct answer *answer)
{
    struct ipc_message message = {.kind = IPC_ANSWER, .answer = *answer};

    tell(channel, &message);
}

void tell_event(struct channel *channel, const struct kernel_event *event)
{
    struct ipc_message message = {.kind = IPC_EVENT, .event = *event};

    tell(channel, &message);
}

void tell_trouble(struct channel *channel, const struct name *connection, const char *text)
{
    struct ipc_message message = {.kind = IPC_TROUBLE, .trouble.connection = *connection};

    ipc_text(message.trouble.text, sizeof(message.trouble.text), text);
    tell(channel, &message);
}

void tell_shutdown(struct channel *channel)
{
    struct ipc_message message = {.kind = IPC_SHUTDOWN};

    tell(channel, &message);
}

void tell_now(struct channel *channel)
{
    if (channel != NULL)
        channel_flush(channel);
}
