/*
 * Altering a message before it is sealed, and making one: see scenario.h.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/ikev2_sa.h"
#include "test/scenario/scenario.h"

#define BODY_MAX 4096

/* "SA", "notify" or a number. */
static bool payload_type(struct script *script, const char *word, uint8_t *type)
{
    char *end;
    unsigned long number = strtoul(word, &end, 10);

    if (*word != '\0' && *end == '\0' && number < 256) {
        *type = (uint8_t)number;
        return true;
    }
    for (unsigned i = V2_SA; i <= V2_SKF; i++) {
        if (strcmp(v2_payload_name((uint8_t)i), word) == 0) {
            *type = (uint8_t)i;
            return true;
        }
    }
    return script_fail(script, "\"%s\": no such payload", word);
}

/* "SA HEX" or "notify TYPE [HEX]": the words of one payload with its body. */
bool edit_payload(struct script *script, char *const *words, size_t count, size_t *used,
                  uint8_t *type, uint8_t *octets, size_t room, size_t *size)
{
    struct writer writer = writer_of(octets, room);
    size_t data_size;
    uint8_t data[BODY_MAX];

    if (count < 2)
        return script_fail(script, "expected a payload and its octets");
    *used = 2;
    if (strcmp(words[0], "notify") != 0)
        return payload_type(script, words[0], type) &&
               bytes_parse(script, words[1], octets, room, size);
    *type = V2_NOTIFY;
    writer_u16(&writer, 0); /* no protocol, no SPI */
    writer_u16(&writer, (uint16_t)strtoul(words[1], NULL, 10));
    if (count > 2 && strspn(words[2], "0123456789abcdef") == strlen(words[2])) {
        if (!bytes_parse(script, words[2], data, sizeof(data), &data_size))
            return false;
        writer_bytes(&writer, slice_of(data, data_size));
        *used = 3;
    }
    *size = writer.size;
    return writer_ok(&writer);
}

static bool add(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    bool front = strcmp(words[0], "front") == 0;
    bool critical = count > 1 && strcmp(words[1], "critical") == 0;
    uint8_t octets[BODY_MAX];
    size_t skip = critical ? 2 : 1;
    size_t used;
    size_t size;
    uint8_t type;

    return edit_payload(script, words + skip, count - skip, &used, &type, octets, sizeof(octets),
                        &size) &&
           (tap_insert(tap, front ? 0 : tap->count, type, critical, slice_of(octets, size)) ||
            script_fail(script, "no room for another payload"));
}

static struct tap_payload *named_notify(struct script *script, struct tap *tap, uint16_t wanted)
{
    struct v2_notify_body notify;
    struct reason reason;

    for (size_t i = 0; i < tap->count; i++) {
        struct tap_payload *payload = &tap->payloads[i];
        if (payload->type == V2_NOTIFY &&
            v2_notify_parse(&notify, buffer_slice(&payload->body), &reason) == STATUS_OK &&
            notify.type == wanted)
            return payload;
    }
    script_fail(script, "the message has no notify %u", wanted);
    return NULL;
}

/* Finds the payload that the second word names, or the notify that two name. */
static struct tap_payload *named(struct script *script, struct tap *tap, char *const *words,
                                 size_t count)
{
    uint8_t type;

    if (count > 2 && strcmp(words[1], "notify") == 0)
        return named_notify(script, tap, (uint16_t)strtoul(words[2], NULL, 10));
    if (count < 2 || !payload_type(script, words[1], &type))
        return NULL;
    size_t at = tap_find(tap, type);
    if (at == tap->count) {
        script_fail(script, "the message has no %s", words[1]);
        return NULL;
    }
    return &tap->payloads[at];
}

static bool set(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    struct tap_payload *payload = named(script, tap, words, count);
    uint8_t octets[BODY_MAX];
    size_t size;

    return payload != NULL && count > 2 &&
           bytes_parse(script, words[2], octets, sizeof(octets), &size) &&
           buffer_copy(&payload->body, slice_of(octets, size));
}

static bool drop(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    const struct tap_payload *payload = named(script, tap, words, count);

    if (payload != NULL)
        tap_remove(tap, (size_t)(payload - tap->payloads));
    return payload != NULL;
}

static bool repeat(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    const struct tap_payload *payload = named(script, tap, words, count);

    return payload != NULL && tap_insert(tap, (size_t)(payload - tap->payloads), payload->type,
                                         payload->critical, buffer_slice(&payload->body));
}

static bool flip(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    struct tap_payload *payload = named(script, tap, words, count);
    size_t at = count > 2 ? strtoul(words[2], NULL, 10) : 0;

    if (payload == NULL || at >= payload->body.size)
        return script_fail(script, "no such octet");
    payload->body.data[at] ^= 1;
    return true;
}

static bool cut(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    struct tap_payload *payload = named(script, tap, words, count);
    size_t size = count > 2 ? strtoul(words[2], NULL, 10) : 0;

    if (payload == NULL || size > payload->body.size)
        return script_fail(script, "it is not that long");
    payload->body.size = size;
    return true;
}

static bool header(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    uint64_t value = count > 2 ? strtoull(words[2], NULL, 0) : 0;

    if (count < 3)
        return script_fail(script, "expected a field and its value");
    if (strcmp(words[1], "version") == 0)
        tap->header.version = (uint8_t)value;
    else if (strcmp(words[1], "exchange") == 0)
        tap->header.exchange = (uint8_t)value;
    else if (strcmp(words[1], "flags") == 0)
        tap->header.flags = (uint8_t)value;
    else if (strcmp(words[1], "id") == 0)
        tap->header.message_id = (uint32_t)value;
    else if (strcmp(words[1], "spi_i") == 0)
        tap->header.spi_i = value;
    else if (strcmp(words[1], "spi_r") == 0)
        tap->header.spi_r = value;
    else
        return script_fail(script, "\"%s\": no such field", words[1]);
    return true;
}

static bool mangle(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    if (count < 2 || tap->mangle_count == TAP_MANGLES_MAX)
        return script_fail(script, "expected an offset");
    tap->mangles[tap->mangle_count].at = strtoul(words[1], NULL, 10);
    tap->mangles[tap->mangle_count++].flip = 0xff;
    return true;
}

static bool pad(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    size_t size = count > 1 ? strtoul(words[1], NULL, 10) : 0;
    uint8_t *octets = size > UINT16_MAX ? NULL : calloc(1, size + 1);

    if (octets == NULL)
        return script_fail(script, "expected a size");
    bool done = tap_insert(tap, tap->count, V2_VENDOR, false, slice_of(octets, size));
    free(octets);
    return done;
}

static bool fragment(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    if (count < 3 || tap->total == 0)
        return script_fail(script, "expected a fragment, and its numbers");
    tap->number = (uint16_t)strtoul(words[1], NULL, 10);
    tap->total = (uint16_t)strtoul(words[2], NULL, 10);
    return true;
}

bool edit_apply(struct script *script, struct tap *tap, char *const *words, size_t count)
{
    static const struct {
        const char *word;
        bool (*apply)(struct script *script, struct tap *tap, char *const *words, size_t count);
    } edits[] = {{"add", add},       {"front", add}, {"set", set},          {"remove", drop},
                 {"repeat", repeat}, {"flip", flip}, {"cut", cut},          {"header", header},
                 {"mangle", mangle}, {"pad", pad},   {"fragment", fragment}};

    for (size_t i = 0; count > 0 && i < sizeof(edits) / sizeof(edits[0]); i++)
        if (strcmp(words[0], edits[i].word) == 0)
            return edits[i].apply(script, tap, words, count);
    return script_fail(script, "expected an edit");
}

/* --- Messages of its own --- */

/* The words behind the exchange: [id N] {PAYLOAD HEX}. */
static bool fill_message(struct script *script, struct tap *tap, char **words, size_t count)
{
    uint8_t octets[OCTETS_MAX];
    size_t used;
    size_t size;
    uint8_t type;
    size_t at = 0;

    if (count > 1 && strcmp(words[0], "id") == 0) {
        tap->header.message_id = (uint32_t)strtoul(words[1], NULL, 10);
        at = 2;
    }
    for (; at < count; at += used)
        if (!edit_payload(script, words + at, count - at, &used, &type, octets, sizeof(octets),
                          &size) ||
            !tap_insert(tap, tap->count, type, false, slice_of(octets, size)))
            return false;
    return true;
}

/* HOST EXCHANGE: an empty request of the host's first SA, or of its newest; that SA. */
static struct ike_sa *begin_message(struct script *script, struct tap *tap, char **words,
                                    size_t count, bool newest)
{
    static const uint8_t exchanges[] = {V2_IKE_SA_INIT, V2_IKE_AUTH, V2_CREATE_CHILD_SA,
                                        V2_INFORMATIONAL};
    const struct host *host = script_host(script, words[0]);
    struct ike_sa *sa = host == NULL ? NULL
                        : newest     ? probe_newest(host->engine)
                                     : probe_first(host->engine);
    uint8_t exchange = 0;

    for (size_t i = 0; count > 1 && i < sizeof(exchanges); i++)
        if (strcmp(words[1], v2_exchange_name(exchanges[i])) == 0)
            exchange = exchanges[i];
    if (sa == NULL || exchange == 0) {
        script_fail(script, "expected a host with an SA, and an exchange");
        return NULL;
    }
    tap_request(tap, sa, exchange);
    return sa;
}

bool message_request(struct script *script, char **words, size_t count)
{
    bool newest = strcmp(words[1], "newest") == 0;
    struct tap tap;

    if (newest) { /* HOST stands before EXCHANGE again */
        words[1] = words[0];
        words++;
        count--;
    }
    struct ike_sa *sa = begin_message(script, &tap, words, count, newest);
    if (sa == NULL)
        return false;
    bool whole = fill_message(script, &tap, words + 2, count - 2) &&
                 (tap_send(&tap, &script->world, sa) || script_fail(script, "cannot seal it"));
    tap_free(&tap);
    return whole;
}

bool message_forge(struct script *script, char **words, size_t count)
{
    struct tap tap;
    struct ike_sa *sa = begin_message(script, &tap, words, count, false);

    if (sa == NULL)
        return false;
    tap.sealed = false;
    if (strcmp(words[2], "response") == 0) {
        tap.header.flags |= V2_FLAG_RESPONSE;
        tap.header.message_id = ikev2_of(sa)->expected - (ikev2_of(sa)->expected > 0 ? 1 : 0);
    }
    bool whole = fill_message(script, &tap, words + 3, count - 3);
    script->forged_to = world_host_at(&script->world, &sa->remote);
    if (script->forged_to != NULL) {
        probe_free(&script->before);
        script->before = probe_take(script->forged_to->engine);
    }
    whole = whole && tap_send(&tap, &script->world, sa);
    tap_free(&tap);
    return whole;
}
