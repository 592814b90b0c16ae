/*
 * A version of IKE, as the engine and the SAs see it: one table of functions.
 *
 * The engine knows no message: it picks the table by the version in the header, or in the
 * connection, and an IKE SA keeps the one that it was made by.
 */
#ifndef LIB_SA_PROTOCOL_H
#define LIB_SA_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

struct context;
struct ike_sa;

struct protocol {
    uint8_t version;   /* the major version, as in the header of its messages */
    size_t state_size; /* octets that it keeps in each IKE SA: ike_sa.of_protocol, zeroed */

    /* The IKE SA ends: frees what the protocol keeps of it. */
    void (*end)(struct context *context, struct ike_sa *sa);
};

#endif
