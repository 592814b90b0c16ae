/*
 * The frame of a message: header, chain of payloads, and the SK payload around its text, RFC 7296
 * sections 3.1, 3.2 and 3.14.
 *
 * Not here: the bodies of payloads (beside their parsers), encryption (lib/crypto).
 */
#include "lib/wire/writer.h"

#include "lib/wire/ikev2.h"
#include "lib/wire/syntax.h"

/* Where fields stand, from the beginning of the header or of a payload. */
#define HEADER_NEXT_AT    16
#define HEADER_LENGTH_AT  24
#define PAYLOAD_LENGTH_AT 2

void v2_message_begin(struct v2_writer *writer, void *data, size_t capacity,
                      const struct ike_header *header)
{
    *writer = (struct v2_writer){.bytes = writer_of(data, capacity), .next_at = HEADER_NEXT_AT};
    writer_u64(&writer->bytes, header->spi_i);
    writer_u64(&writer->bytes, header->spi_r);
    writer_u8(&writer->bytes, V2_NO_NEXT);
    writer_u8(&writer->bytes, header->version);
    writer_u8(&writer->bytes, header->exchange);
    writer_u8(&writer->bytes, header->flags);
    writer_u32(&writer->bytes, header->message_id);
    writer_u32(&writer->bytes, 0);
}

/* Fills in the length of the payload that begins at `at` and ends here. */
static void length_patch(struct v2_writer *writer, size_t at)
{
    size_t length = writer->bytes.size - at;

    if (length > UINT16_MAX)
        writer->bytes.failed = true;
    writer_patch_u16(&writer->bytes, at + PAYLOAD_LENGTH_AT, (uint16_t)length);
}

static void payload_end(struct v2_writer *writer)
{
    if (writer->payload_at != 0)
        length_patch(writer, writer->payload_at);
    writer->payload_at = 0;
}

void v2_payload_begin(struct v2_writer *writer, uint8_t type)
{
    payload_end(writer);
    writer_patch_u8(&writer->bytes, writer->next_at, type);
    writer->next_at = writer->bytes.size;
    writer->payload_at = writer->bytes.size;
    writer_u8(&writer->bytes, V2_NO_NEXT);
    writer_u8(&writer->bytes, 0);
    writer_u16(&writer->bytes, 0);
}

/* The IV; what is opened next lies inside the payload and does not close it. */
static void text_begin(struct v2_writer *writer, size_t iv_size)
{
    writer_reserve(&writer->bytes, iv_size);
    writer->sk_at = writer->payload_at;
    writer->sk_text_at = writer->bytes.size;
    writer->payload_at = 0;
}

void v2_sk_begin(struct v2_writer *writer, size_t iv_size)
{
    v2_payload_begin(writer, V2_SK);
    text_begin(writer, iv_size);
}

void v2_skf_begin(struct v2_writer *writer, size_t iv_size, uint8_t first, uint16_t number,
                  uint16_t total)
{
    v2_payload_begin(writer, V2_SKF);
    writer_patch_u8(&writer->bytes, writer->next_at, number == 1 ? first : V2_NO_NEXT);
    writer_u16(&writer->bytes, number);
    writer_u16(&writer->bytes, total);
    text_begin(writer, iv_size);
}

bool v2_sk_end(struct v2_writer *writer, size_t block_size, size_t icv_size)
{
    payload_end(writer);
    size_t text_size = writer->bytes.size - writer->sk_text_at + 1;
    size_t pad_size = (block_size - text_size % block_size) % block_size;

    writer_reserve(&writer->bytes, pad_size);
    writer_u8(&writer->bytes, (uint8_t)pad_size);
    writer_reserve(&writer->bytes, icv_size);
    length_patch(writer, writer->sk_at);
    return v2_message_end(writer);
}

enum status v2_sk_unpad(struct slice text, struct slice *payloads, struct reason *reason)
{
    struct reader reader = reader_of(text);

    *payloads = slice_of(NULL, 0);
    if (text.size == 0)
        return reject_syntax(reason, "SK without a Pad Length");
    size_t padded_size = text.size - 1;
    struct slice padded = reader_bytes(&reader, padded_size);
    uint8_t pad_size = reader_u8(&reader);
    if (pad_size > padded_size)
        return reject_syntax(reason, "SK: Pad Length %u in %zu octets", pad_size, text.size);
    *payloads = slice_of(padded.data, padded_size - pad_size);
    return STATUS_OK;
}

bool v2_message_end(struct v2_writer *writer)
{
    payload_end(writer);
    writer_patch_u32(&writer->bytes, HEADER_LENGTH_AT, (uint32_t)writer->bytes.size);
    return writer_ok(&writer->bytes);
}
