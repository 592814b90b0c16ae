/*
 * Messages between keeper and resolver: see resolver_ipc.h.
 */
#include "iked/process/resolver_ipc.h"

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
