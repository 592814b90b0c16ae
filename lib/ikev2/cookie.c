/*
 * Cookies: see cookie.h.
 *
 *   HDR(SPIi, 0), SAi1, KEi, Ni            -->
 *                                          <--  HDR(SPIi, 0), N(COOKIE)
 *   HDR(SPIi, 0), N(COOKIE), SAi1, KEi, Ni -->
 *
 * The cookie is stateless: version | hash(secret, SPIi | port | IPi | Ni).  The order is from cheap
 * to dear: a walk over the generic headers for nonce and cookie, two keyed hashes; the chain is
 * parsed only for whom is let in.
 */
#include "lib/ikev2/cookie.h"

#include "lib/ikev2/exchange.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/stateless.h"
#include "lib/sa/admission.h"
#include "lib/sa/context.h"
#include "lib/wire/ikev2.h"

/* Nonce and cookie out of a chain that nobody has checked yet; what is not there stays empty.
 * Stops at the nonce, before which the cookie stands (it is the first payload, section 2.6). */
static void glance(const struct ike_message *message, struct slice *nonce, struct slice *cookie)
{
    struct reader reader = reader_of(slice_of(message->data, message->size));
    struct v2_payload_item item;
    struct v2_notify_body notify;
    struct reason unused;

    *nonce = *cookie = slice_of(NULL, 0);
    reader_skip(&reader, IKE_HEADER_SIZE);
    struct v2_walk walk = v2_walk_begin(message->header.next_payload, reader_rest(&reader));
    while (nonce->size == 0 && v2_walk_next(&walk, &item)) {
        if (item.type == V2_NONCE && item.body.size >= V2_NONCE_MIN &&
            item.body.size <= V2_NONCE_MAX)
            *nonce = item.body;
        else if (item.type == V2_NOTIFY && cookie->size == 0 &&
                 v2_notify_parse(&notify, item.body, &unused) == STATUS_OK &&
                 notify.type == V2_N_COOKIE)
            *cookie = notify.data;
    }
}

/* Has the sender been asked for a cookie, and returned it?  Else he is asked. */
static bool is_proven(struct context *context, const struct ike_message *message)
{
    uint8_t bytes[V2_NONCE_MAX + 32];
    struct writer about = writer_of(bytes, sizeof(bytes));
    uint8_t cookie[ADMISSION_TOKEN_SIZE];
    struct slice nonce;
    struct slice returned;

    glance(message, &nonce, &returned);
    if (nonce.size == 0) {
        count(context, COUNTER_DROP_SYNTAX);
        return false;
    }
    writer_u64(&about, message->header.spi_i);
    writer_u16(&about, message->remote.port);
    writer_bytes(&about, address_bytes(&message->remote));
    writer_bytes(&about, nonce);
    if (admission_proven(context, writer_slice(&about), returned, cookie))
        return true;
    init_respond_notify(context, message, V2_N_COOKIE, slice_of(cookie, sizeof(cookie)));
    return false;
}

bool cookie_admits(struct context *context, const struct ike_message *message)
{
    enum admission_verdict verdict = admission_check(context, &message->remote);

    return verdict == ADMISSION_ALL || (verdict == ADMISSION_PROVEN && is_proven(context, message));
}
