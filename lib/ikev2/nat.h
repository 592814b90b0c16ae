/*
 * NAT traversal: detection, the float to port 4500, addresses in transport mode.
 * RFC 7296 sections 2.23 and 2.23.1, RFC 3948.
 *
 * Not here: following a peer whose mapping changes (engine/path.c), sockets and the non-ESP marker.
 */
#ifndef LIB_IKEV2_NAT_H
#define LIB_IKEV2_NAT_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

#define NAT_PORT_IKE  500
#define NAT_PORT_BOTH 4500 /* IKE and ESP in UDP */

/* Writes NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP for a message of the SA between
 * two addresses.  Where the SA pretends to be behind a NAT, the source is a wrong one. */
void nat_write_detection(struct context *context, const struct ike_sa *sa, struct v2_writer *writer,
                         const struct address *local, const struct address *remote);

/* What a message's payloads say about the path it came by. */
struct nat_finding {
    bool known; /* both kinds of payloads are there */
    bool here;  /* we are behind a NAT */
    bool there; /* the peer is */
};
struct nat_finding nat_detect(struct context *context, const struct ike_message *message,
                              uint64_t spi_i, uint64_t spi_r);

/* Takes the finding of IKE_SA_INIT into the SA. */
void nat_take(struct context *context, struct ike_sa *sa, const struct ike_message *message);

/* The SA has another path, with what was found of it, if anything: ESP goes into UDP, or out. */
void nat_follow(struct context *context, struct ike_sa *sa, const struct nat_finding *finding,
                uint16_t local_port);

/* Initiator: IKE_AUTH and all that follows go over port 4500 where a NAT was seen or either end
 * wants ESP in UDP; with MOBIKE always (RFC 4555 section 3.3). */
void nat_float(struct ike_sa *sa);

/* RFC 7296 section 2.23.1: in selectors of transport mode that came from the peer, addresses that
 * mean nothing here are replaced by those that the IKE SA has. */
void nat_substitute(const struct ike_sa *sa, struct v2_selectors *local,
                    struct v2_selectors *remote);

#endif
