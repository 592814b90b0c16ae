/*
 * The table of all IKE SAs, and of their children by what they are called and what they protect.
 */
#ifndef LIB_SA_SA_TABLE_H
#define LIB_SA_SA_TABLE_H

#include "lib/sa/ike_sa.h"
#include "lib/sa/source.h"

struct sa_table {
    struct ike_sa_list all;
    struct hash_table by_spi;
    struct hash_table by_peer;
    struct hash_table by_id;
    struct hash_table children_in;  /* listed children by their SPIs ... */
    struct hash_table children_out; /* ... the outbound ones keyed */
    struct hash_table reqids;       /* those that children hold as their own */
    struct interval_tree claims;    /* of children, by remote addresses */
    uint8_t hash_key[16];
    size_t count;
    size_t half_open;
    struct source_counts half_open_of;
    size_t parts_octets;          /* that reassembly holds for all SAs ... */
    size_t parts_stranger_octets; /* ... and of these for half-open ones */
    uint64_t next_number;
};

MUST_USE bool sa_table_init(struct sa_table *table, struct context *context);

/* It is empty. */
void sa_table_free(struct sa_table *table);

/* By our own SPI, whichever half of the header it stands in. */
struct ike_sa *sa_table_find(const struct sa_table *table, uint64_t spi);

/* A half-open responder by the peer's address, port and SPI. */
struct ike_sa *sa_table_find_half_open(const struct sa_table *table, const struct address *remote,
                                       uint64_t spi_i);

/* Enters a new SA; takes out one that ends. */
void sa_table_add(struct sa_table *table, struct ike_sa *sa);

void sa_table_remove(struct sa_table *table, struct ike_sa *sa);

/* Enters an SA whose peer is authenticated under the peer's identity. */
void sa_table_add_id(struct sa_table *table, struct ike_sa *sa);

/* The next SA with the same authenticated peer as `sa`, other than it; `after` continues (NULL: the
 * first). */
struct ike_sa *sa_table_same_peer(const struct sa_table *table, const struct ike_sa *sa,
                                  const struct ike_sa *after);

/* The next established SA with a peer of this identity; `after` as above. */
struct ike_sa *sa_table_find_peer(const struct sa_table *table, const struct identity *identity,
                                  const struct ike_sa *after);

/* The listed child that an SA of the kernel's belongs to, by what the kernel says of it; NULL when
 * there is none.  Its IKE SA is the child's owner. */
struct child_sa *sa_table_find_child(const struct sa_table *table, uint8_t protocol, uint32_t spi,
                                     const struct address *destination);

/* The same among those that are being installed and not listed yet: there are few, but all that
 * claim something are looked at. */
struct child_sa *sa_table_find_installing(const struct sa_table *table, uint8_t protocol,
                                          uint32_t spi, const struct address *destination);

/* The same for outbound SAs alone. */
struct child_sa *sa_table_find_outbound(const struct sa_table *table, uint8_t protocol,
                                        uint32_t spi, const struct address *remote);

/* Is there another listed child to whose outbound SA the kernel would give the same name, were the
 * peer of `child` at `remote`?  SPIs are the peer's choice: of two such SAs the kernel takes only
 * the first, and the end of one would be that of the other. */
bool sa_table_outbound_taken(const struct sa_table *table, const struct child_sa *child,
                             const struct address *remote);

/* A child's selectors are settled and its peer is authenticated: from now on it stands in the way
 * of others that want the same traffic.  The second time is harmless. */
void sa_table_claim(struct sa_table *table, struct ike_sa *sa, struct child_sa *child);

/* Reqids of children that have policies, and so a reqid, of their own: one to each, for as long as
 * the child is there.  A rekeyed one and its successor share theirs.  Draw says one that is free;
 * hold takes the child's, whatever it is, and does nothing for one that is configured. */
uint32_t sa_table_draw_reqid(const struct sa_table *table, const struct context *context);

bool sa_table_reqid_taken(const struct sa_table *table, uint32_t reqid);

void sa_table_hold_reqid(struct sa_table *table, struct child_sa *child);

void sa_table_release_reqid(struct sa_table *table, struct child_sa *child);

/* A child is found by the names of its SAs, or no more; or by nothing any more. */
void sa_table_list_child(struct sa_table *table, struct child_sa *child);

void sa_table_unlist_child(struct sa_table *table, struct child_sa *child);

void sa_table_remove_child(struct sa_table *table, struct child_sa *child);

/* The next child that claims addresses which a remote selector has, too, or lie between some of its
 * own that do; `after` continues (NULL: the first). */
struct child_sa *sa_table_next_claim(const struct sa_table *table, const struct selector *remote,
                                     const struct child_sa *after);

#endif
