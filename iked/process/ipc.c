/*
 * The encoding between keeper and negotiator: see ipc.h.
 *
 * A coder either writes from a message or reads into it; code_* functions do both, so that the two
 * directions cannot drift apart.  A fault sticks to the coder and is looked at once, at the end.
 */
#include "iked/process/ipc.h"

#include <stdio.h>
#include <string.h>

struct coder {
    struct reader *reader; /* NULL while encoding */
    struct writer *writer; /* NULL while decoding */
    bool failed;           /* a value out of its bounds, or no memory */
};

/* --- Values --- */

static void code_u8(struct coder *coder, uint8_t *value)
{
    if (coder->writer != NULL)
        writer_u8(coder->writer, *value);
    else
        *value = reader_u8(coder->reader);
}

static void code_u16(struct coder *coder, uint16_t *value)
{
    if (coder->writer != NULL)
        writer_u16(coder->writer, *value);
    else
        *value = reader_u16(coder->reader);
}

static void code_u32(struct coder *coder, uint32_t *value)
{
    if (coder->writer != NULL)
        writer_u32(coder->writer, *value);
    else
        *value = reader_u32(coder->reader);
}

static void code_u64(struct coder *coder, uint64_t *value)
{
    if (coder->writer != NULL)
        writer_u64(coder->writer, *value);
    else
        *value = reader_u64(coder->reader);
}

/* A number in least..end-1. */
static void code_enum(struct coder *coder, uint8_t *value, unsigned least, unsigned end)
{
    code_u8(coder, value);
    if (*value < least || *value >= end)
        coder->failed = true;
}

static void code_bool(struct coder *coder, bool *value)
{
    uint8_t number = *value ? 1 : 0;

    code_enum(coder, &number, 0, 2);
    *value = number == 1;
}

static void code_octets(struct coder *coder, uint8_t *octets, size_t size)
{
    if (coder->writer != NULL)
        writer_bytes(coder->writer, slice_of(octets, size));
    else
        reader_copy(coder->reader, octets, size);
}

/* A size of 0..max in front of variable octets. */
static size_t code_size(struct coder *coder, size_t size, size_t max)
{
    uint16_t number = (uint16_t)size;

    if (size > max)
        coder->failed = true;
    code_u16(coder, &number);
    if (number > max)
        coder->failed = true;
    return coder->failed ? 0 : number;
}

/* Borrowed octets: decoding leaves them where they are. */
static void code_slice(struct coder *coder, struct slice *slice, size_t max)
{
    size_t size = code_size(coder, slice->size, max);

    if (coder->writer != NULL)
        writer_bytes(coder->writer, slice_of(slice->data, size));
    else
        *slice = reader_bytes(coder->reader, size);
}

static void code_buffer(struct coder *coder, struct buffer *buffer, size_t max)
{
    struct slice slice = buffer_slice(buffer);

    code_slice(coder, &slice, max);
    if (coder->reader != NULL && !buffer_copy(buffer, slice))
        coder->failed = true;
}

static void code_secret(struct coder *coder, struct secret *secret, size_t max)
{
    struct slice slice = secret_slice(secret);

    code_slice(coder, &slice, max);
    if (coder->reader != NULL && !secret_copy(secret, slice))
        coder->failed = true;
}

/* A NUL-terminated text in a field of `size`, of printable ASCII. */
static void code_text(struct coder *coder, char *text, size_t size)
{
    struct slice slice = slice_text(text);

    code_slice(coder, &slice, size - 1);
    for (size_t i = 0; i < slice.size; i++)
        if (slice.data[i] < ' ' || slice.data[i] > '~')
            coder->failed = true;
    if (coder->reader != NULL) {
        if (slice.size > 0)
            memcpy(text, slice.data, slice.size);
        text[slice.size] = '\0';
    }
}

/* --- Parts that several messages have --- */

static void code_name(struct coder *coder, struct name *name)
{
    code_text(coder, name->text, sizeof(name->text));
}

static void code_family(struct coder *coder, uint8_t *family, bool may_be_none)
{
    code_u8(coder, family);
    if (address_size(*family) == 0 && !(may_be_none && *family == FAMILY_NONE))
        coder->failed = true;
}

/* Octets past the family's size are 0, so that equal addresses are equal memory. */
static void code_address_bytes(struct coder *coder, uint8_t family, uint8_t bytes[16])
{
    if (coder->reader != NULL)
        memset(bytes, 0, 16);
    code_octets(coder, bytes, address_size(family));
}

static void code_address(struct coder *coder, struct address *address)
{
    code_family(coder, &address->family, true);
    code_u16(coder, &address->port);
    code_address_bytes(coder, address->family, address->bytes);
}

static void code_selector(struct coder *coder, struct selector *selector)
{
    code_family(coder, &selector->family, true);
    code_u8(coder, &selector->protocol);
    code_u16(coder, &selector->port_start);
    code_u16(coder, &selector->port_end);
    code_address_bytes(coder, selector->family, selector->start);
    code_address_bytes(coder, selector->family, selector->end);
}

static void code_identity(struct coder *coder, struct identity *identity)
{
    code_u8(coder, &identity->type);
    code_u8(coder, &identity->size);
    if (coder->reader != NULL)
        memset(identity->data, 0, sizeof(identity->data));
    code_octets(coder, identity->data, identity->size);
}

static void code_ticket(struct coder *coder, struct ticket *ticket)
{
    code_u64(coder, &ticket->sa);
    code_u32(coder, &ticket->sequence);
}

/* --- Effects --- */

static void code_psk_auth(struct coder *coder, struct effect *effect)
{
    struct effect_psk_auth *psk_auth = &effect->psk_auth;

    code_name(coder, &psk_auth->connection);
    code_enum(coder, &psk_auth->prf, 1, PRF_COUNT);
    code_identity(coder, &psk_auth->local_id);
    code_identity(coder, &psk_auth->remote_id);
    code_buffer(coder, &psk_auth->own_octets, IPC_OCTETS_MAX);
    code_buffer(coder, &psk_auth->peer_octets, IPC_OCTETS_MAX);
    code_buffer(coder, &psk_auth->peer_auth, IPC_AUTH_MAX);
}

/* Of those that are declared only (effect.h). */
static void code_authentication(struct coder *coder, struct effect *effect)
{
    code_name(coder, &effect->authentication_of);
}

static void code_allocate_spi(struct coder *coder, struct effect *effect)
{
    struct effect_allocate_spi *allocate = &effect->allocate_spi;

    code_name(coder, &allocate->connection);
    code_name(coder, &allocate->child);
    code_address(coder, &allocate->source);
    code_address(coder, &allocate->destination);
    code_u8(coder, &allocate->protocol);
    code_enum(coder, &allocate->mode, CHILD_TRANSPORT, CHILD_TUNNEL + 1);
    code_bool(coder, &allocate->encap);
    code_bool(coder, &allocate->early);
    code_u32(coder, &allocate->reqid);
}

static void code_install_sa(struct coder *coder, struct effect *effect)
{
    struct effect_install_sa *sa = &effect->install_sa;

    code_name(coder, &sa->connection);
    code_name(coder, &sa->child);
    code_bool(coder, &sa->inbound);
    code_bool(coder, &sa->encap);
    code_address(coder, &sa->source);
    code_address(coder, &sa->destination);
    code_u32(coder, &sa->spi);
    code_u32(coder, &sa->reqid);
    code_u8(coder, &sa->protocol);
    code_enum(coder, &sa->mode, CHILD_TRANSPORT, CHILD_TUNNEL + 1);
    code_enum(coder, &sa->encr, ENCR_NONE, ENCR_COUNT);
    code_enum(coder, &sa->integ, INTEG_NONE, INTEG_COUNT);
    code_bool(coder, &sa->esn);
    code_u32(coder, &sa->replay_window);
    code_secret(coder, &sa->encr_key, IPC_KEY_MAX);
    code_secret(coder, &sa->integ_key, IPC_KEY_MAX);
    code_u32(coder, &sa->soft_s);
    code_u32(coder, &sa->hard_s);
    code_u64(coder, &sa->soft_bytes);
    code_u64(coder, &sa->hard_bytes);
    code_u64(coder, &sa->soft_packets);
    code_u64(coder, &sa->hard_packets);
}

static void code_find_source(struct coder *coder, struct effect *effect)
{
    code_name(coder, &effect->find_source.connection);
    code_address(coder, &effect->find_source.remote);
}

static void code_move_sa(struct coder *coder, struct effect *effect)
{
    struct effect_move_sa *sa = &effect->move_sa;

    code_name(coder, &sa->connection);
    code_name(coder, &sa->child);
    code_bool(coder, &sa->inbound);
    code_bool(coder, &sa->encap);
    code_u32(coder, &sa->spi);
    code_u8(coder, &sa->protocol);
    code_address(coder, &sa->source);
    code_address(coder, &sa->destination);
    code_address(coder, &sa->new_source);
    code_address(coder, &sa->new_destination);
}

static void code_query_sa(struct coder *coder, struct effect *effect)
{
    struct effect_query_sa *sa = &effect->query_sa;

    code_address(coder, &sa->source);
    code_address(coder, &sa->destination);
    code_u32(coder, &sa->spi);
    code_u8(coder, &sa->protocol);
}

static void code_resolve(struct coder *coder, struct effect *effect)
{
    struct effect_resolve *resolve = &effect->resolve;

    code_name(coder, &resolve->connection);
    code_family(coder, &resolve->family, true);
    code_text(coder, resolve->host, sizeof(resolve->host));
}

static void code_remove_sa(struct coder *coder, struct effect *effect)
{
    struct effect_remove_sa *sa = &effect->remove_sa;

    code_address(coder, &sa->source);
    code_address(coder, &sa->destination);
    code_u32(coder, &sa->spi);
    code_u8(coder, &sa->protocol);
}

static void code_policy(struct coder *coder, struct effect *effect)
{
    struct effect_policy *policy = &effect->policy;

    code_name(coder, &policy->connection);
    code_name(coder, &policy->child);
    code_address(coder, &policy->local);
    code_address(coder, &policy->remote);
    code_selector(coder, &policy->local_selector);
    code_selector(coder, &policy->remote_selector);
    code_u32(coder, &policy->reqid);
    code_enum(coder, &policy->policy, POLICY_REQUIRE, POLICY_PREFER + 1);
    code_enum(coder, &policy->template_count, 1, TRANSFORMS_MAX + 1);
    for (size_t i = 0; i < policy->template_count && !coder->failed; i++) {
        code_u8(coder, &policy->templates[i].protocol);
        code_enum(coder, &policy->templates[i].mode, CHILD_TRANSPORT, CHILD_TUNNEL + 1);
    }
}

static void code_orphans(struct coder *coder, struct effect *effect)
{
    code_name(coder, &effect->orphans_of);
}

#define CODES(X)                       \
    X(PSK_AUTH, code_psk_auth)         \
    X(DERIVE, code_authentication)     \
    X(SIGN, code_authentication)       \
    X(VERIFY, code_authentication)     \
    X(ALLOCATE_SPI, code_allocate_spi) \
    X(INSTALL_SA, code_install_sa)     \
    X(FIND_SOURCE, code_find_source)   \
    X(MOVE_SA, code_move_sa)           \
    X(QUERY_SA, code_query_sa)         \
    X(RESOLVE, code_resolve)           \
    X(REMOVE_SA, code_remove_sa)       \
    X(INSTALL_POLICY, code_policy)     \
    X(REMOVE_POLICY, code_policy)      \
    X(REMOVE_ORPHANS, code_orphans)

EFFECT_TABLE_WHOLE(CODES, KEEPER);

static void (*const effect_codes[EFFECT_COUNT])(struct coder *coder, struct effect *effect) = {
#define CODE(name, code) [EFFECT_##name] = code,
    CODES(CODE)
#undef CODE
};

static void code_effect(struct coder *coder, struct ipc_message *message)
{
    struct effect *effect = &message->effect;
    uint8_t kind = (uint8_t)effect->kind;

    code_enum(coder, &kind, 1, EFFECT_COUNT);
    code_ticket(coder, &effect->ticket);
    if (coder->failed || effect_codes[kind] == NULL) {
        coder->failed = true;
        return;
    }
    effect->kind = kind;
    effect_codes[kind](coder, effect);
}

/* --- The other messages --- */

static void code_hello(struct coder *coder, struct ipc_message *message)
{
    struct ipc_hello *hello = &message->hello;

    code_enum(coder, &hello->log_level, SEVERITY_DEBUG, SEVERITY_ERROR + 1);
    code_bool(coder, &hello->kernel_none);
    code_enum(coder, &hello->socket_count, 0, IPC_SOCKETS_MAX + 1);
    for (size_t i = 0; i < hello->socket_count && !coder->failed; i++) {
        code_enum(coder, &hello->sockets[i].role, 0, IPC_ROLE_COUNT);
        code_family(coder, &hello->sockets[i].family, true);
        code_u16(coder, &hello->sockets[i].port);
    }
}

static void code_config_part(struct coder *coder, struct ipc_message *message)
{
    code_text(coder, message->config_part.path, IPC_PATH_MAX);
    code_bool(coder, &message->config_part.last);
    code_slice(coder, &message->config_part.text, IPC_CHUNK_MAX);
}

static void code_config_end(struct coder *coder, struct ipc_message *message)
{
    code_u32(coder, &message->config_end.generation);
    code_u64(coder, &message->config_end.number);
    code_bool(coder, &message->config_end.dry_run);
    code_bool(coder, &message->config_end.force);
    code_bool(coder, &message->config_end.secrets_changed);
}

static void code_answer(struct coder *coder, struct ipc_message *message)
{
    struct answer *answer = &message->answer;
    uint8_t kind = (uint8_t)answer->kind;
    uint8_t status = (uint8_t)answer->status;
    uint8_t code = (uint8_t)answer->reason.code;

    code_enum(coder, &kind, 1, EFFECT_COUNT);
    if (coder->failed || effect_codes[kind] == NULL || !effect_info(kind)->answered)
        coder->failed = true;
    code_enum(coder, &status, STATUS_OK, STATUS_FAIL + 1);
    answer->kind = kind;
    answer->status = status;
    code_ticket(coder, &answer->ticket);
    code_buffer(coder, &answer->auth, IPC_AUTH_MAX);
    code_u32(coder, &answer->spi);
    code_u8(coder, &answer->protocol);
    code_u64(coder, &answer->packets);
    code_u64(coder, &answer->bytes);
    code_u32(coder, &answer->ago_s);
    code_name(coder, &answer->connection);
    code_enum(coder, &answer->address_count, 0, CONFIG_RESOLVED_MAX + 1);
    for (size_t i = 0; i < answer->address_count && !coder->failed; i++)
        code_address(coder, &answer->addresses[i]);
    code_address(coder, &answer->source);
    code_enum(coder, &code, FINDING_NONE, FINDING_CODE_COUNT);
    answer->reason.code = code;
    code_text(coder, answer->reason.text, sizeof(answer->reason.text));
}

static void code_event(struct coder *coder, struct ipc_message *message)
{
    struct kernel_event *event = &message->event;
    uint8_t kind = (uint8_t)event->kind;

    code_enum(coder, &kind, KERNEL_ACQUIRE, KERNEL_ADDRESSES + 1);
    event->kind = kind;
    code_name(coder, &event->connection);
    code_name(coder, &event->child);
    code_selector(coder, &event->local_packet);
    code_selector(coder, &event->remote_packet);
    code_address(coder, &event->destination);
    code_address(coder, &event->source);
    code_u32(coder, &event->spi);
    code_u8(coder, &event->protocol);
    code_bool(coder, &event->hard);
    code_bool(coder, &event->removed);
}

static void code_trouble(struct coder *coder, struct ipc_message *message)
{
    code_name(coder, &message->trouble.connection);
    code_text(coder, message->trouble.text, IPC_TEXT_MAX);
}

static void code_refused(struct coder *coder, struct ipc_message *message)
{
    code_u64(coder, &message->refused.number);
    code_text(coder, message->refused.text, IPC_TEXT_MAX);
}

static void code_reload(struct coder *coder, struct ipc_message *message)
{
    code_u64(coder, &message->reload.number);
    code_bool(coder, &message->reload.dry_run);
    code_bool(coder, &message->reload.force);
}

static void code_commit(struct coder *coder, struct ipc_message *message)
{
    code_u32(coder, &message->commit);
}

static void code_log(struct coder *coder, struct ipc_message *message)
{
    code_enum(coder, &message->log.severity, SEVERITY_DEBUG, SEVERITY_ERROR + 1);
    code_text(coder, message->log.text, IPC_TEXT_MAX);
}

static void code_nothing(struct coder *coder, struct ipc_message *message)
{
    (void)coder;
    (void)message;
}

static const struct {
    const char *name;
    enum ipc_side from;
    void (*code)(struct coder *coder, struct ipc_message *message);
} kinds[IPC_KIND_COUNT] = {
    [IPC_HELLO] = {"hello", IPC_KEEPER, code_hello},
    [IPC_CONFIG_PART] = {"config-part", IPC_KEEPER, code_config_part},
    [IPC_CONFIG_END] = {"config-end", IPC_KEEPER, code_config_end},
    [IPC_ANSWER] = {"answer", IPC_KEEPER, code_answer},
    [IPC_EVENT] = {"event", IPC_KEEPER, code_event},
    [IPC_TROUBLE] = {"trouble", IPC_KEEPER, code_trouble},
    [IPC_REFUSED] = {"refused", IPC_KEEPER, code_refused},
    [IPC_SHUTDOWN] = {"shutdown", IPC_KEEPER, code_nothing},
    [IPC_EFFECT] = {"effect", IPC_NEGOTIATOR, code_effect},
    [IPC_RELOAD] = {"reload", IPC_NEGOTIATOR, code_reload},
    [IPC_COMMIT] = {"commit", IPC_NEGOTIATOR, code_commit},
    [IPC_BYE] = {"bye", IPC_NEGOTIATOR, code_nothing},
    [IPC_LOG] = {"log", IPC_NEGOTIATOR, code_log},
};

bool ipc_encode(struct writer *writer, struct ipc_message *message)
{
    struct writer trial = *writer;
    struct coder coder = {.writer = &trial};

    writer_u8(&trial, (uint8_t)message->kind);
    size_t size_at = trial.size;
    writer_u32(&trial, 0);
    size_t body_at = trial.size;
    kinds[message->kind].code(&coder, message);
    writer_patch_u32(&trial, size_at, (uint32_t)(trial.size - body_at));
    if (coder.failed || !writer_ok(&trial))
        return false;
    *writer = trial;
    return true;
}

bool ipc_decode(struct reader *reader, enum ipc_side from, struct ipc_message *message)
{
    uint8_t kind = reader_u8(reader);
    struct reader body = reader_part(reader, reader_u32(reader));
    struct coder coder = {.reader = &body};

    *message = (struct ipc_message){.kind = kind};
    if (!reader_ok(reader) || kind == 0 || kind >= IPC_KIND_COUNT || kinds[kind].from != from)
        return false;
    kinds[kind].code(&coder, message);
    if (!coder.failed && reader_done(&body))
        return true;
    ipc_message_free(message);
    return false;
}

void ipc_message_free(struct ipc_message *message)
{
    if (message->kind == IPC_EFFECT)
        effect_free(&message->effect);
    else if (message->kind == IPC_ANSWER)
        answer_free(&message->answer);
    message->kind = 0;
}

const char *ipc_kind_name(enum ipc_kind kind)
{
    return (size_t)kind < IPC_KIND_COUNT && kinds[kind].name != NULL ? kinds[kind].name : "?";
}

void ipc_text(char *to, size_t size, const char *text)
{
    size_t i = 0;

    for (; i + 1 < size && text[i] != '\0'; i++)
        to[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    to[i] = '\0';
}
