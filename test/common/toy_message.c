/*
 * Messages of the toy protocol: see toy_message.h.
 */
#include "test/common/toy_message.h"

#include "lib/base/reader.h"
#include "lib/base/writer.h"

#define LENGTH_AT      24
#define FLAG_INITIATOR 0x08
#define FLAG_RESPONSE  0x20

bool toy_message_parse(struct toy_message *message, struct slice bytes)
{
    struct reader reader = reader_of(bytes);

    *message = (struct toy_message){0};
    message->spi_i = reader_u64(&reader);
    message->spi_r = reader_u64(&reader);
    reader_skip(&reader, 1);
    bool ours = reader_u8(&reader) == TOY_VERSION << 4;
    message->kind = reader_u8(&reader);
    uint8_t flags = reader_u8(&reader);
    message->initiator = (flags & FLAG_INITIATOR) != 0;
    message->response = (flags & FLAG_RESPONSE) != 0;
    message->id = reader_u32(&reader);
    bool whole = reader_u32(&reader) == bytes.size;
    message->error = reader_u8(&reader);
    message->spi = reader_u32(&reader);
    message->old = reader_u32(&reader);
    reader_copy(&reader, message->nonce, TOY_NONCE_SIZE);
    uint8_t name_size = reader_u8(&reader);
    if (name_size > CONFIG_NAME_MAX)
        return false;
    reader_copy(&reader, message->child.text, name_size);
    return reader_done(&reader) && ours && whole && message->kind >= TOY_MAKE &&
           message->kind <= TOY_PROBE && message->spi_i != 0;
}

struct slice toy_message_write(const struct toy_message *message, uint8_t *octets)
{
    struct writer writer = writer_of(octets, TOY_MESSAGE_MAX);
    struct slice name = slice_text(message->child.text);

    writer_u64(&writer, message->spi_i);
    writer_u64(&writer, message->spi_r);
    writer_u8(&writer, 0);
    writer_u8(&writer, TOY_VERSION << 4);
    writer_u8(&writer, message->kind);
    writer_u8(&writer,
              (message->initiator ? FLAG_INITIATOR : 0) | (message->response ? FLAG_RESPONSE : 0));
    writer_u32(&writer, message->id);
    writer_u32(&writer, 0);
    writer_u8(&writer, message->error);
    writer_u32(&writer, message->spi);
    writer_u32(&writer, message->old);
    writer_bytes(&writer, slice_of(message->nonce, TOY_NONCE_SIZE));
    writer_u8(&writer, (uint8_t)name.size);
    writer_bytes(&writer, name);
    writer_patch_u32(&writer, LENGTH_AT, (uint32_t)writer.size);
    return writer_slice(&writer);
}
