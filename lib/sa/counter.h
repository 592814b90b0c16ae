/*
 * What an engine counts: one enum, one name each, for `ikectl show` and metrics.
 */
#ifndef LIB_SA_COUNTER_H
#define LIB_SA_COUNTER_H

#define COUNTERS(X)                                                                             \
    X(PACKETS_IN, "packets_in")                                                                 \
    X(PACKETS_OUT, "packets_out")                                                               \
    X(DROP_HEADER, "dropped_header")               /* no whole IKE header, or a lying length */ \
    X(DROP_VERSION, "dropped_version")             /* another major version */                  \
    X(DROP_UNKNOWN_SPI, "dropped_unknown_spi")     /* no such IKE SA */                         \
    X(DROP_STATE, "dropped_state")                 /* no row for it in this state */            \
    X(DROP_WINDOW, "dropped_window")               /* a message ID outside the window */        \
    X(DROP_BUSY, "dropped_busy")                   /* sent again while we work on it */         \
    X(DROP_AUTH, "dropped_authentication")         /* the Encrypted payload does not verify */  \
    X(DROP_SYNTAX, "dropped_syntax")               /* payloads that cannot be read */           \
    X(DROP_CRITICAL, "dropped_critical")           /* an unknown critical payload */            \
    X(DROP_NO_CONNECTION, "dropped_no_connection") /* nothing configured for the peer */        \
    X(DROP_HALF_OPEN, "dropped_half_open")         /* the cap on half-open SAs */               \
    X(DROP_SOURCE, "dropped_source")               /* the cap on those of one source */         \
    X(DROP_FRAGMENT, "dropped_fragment")           /* not agreed on, wrong, or known */         \
    X(DROP_FRAGMENT_ROOM, "dropped_fragment_room") /* no room to keep it in */                  \
    X(DROP_ANSWER, "dropped_answer")               /* an answer nobody waits for any more */    \
    X(COOKIES_SENT, "cookies_sent")                                                             \
    X(COOKIES_WRONG, "cookies_wrong")                                                           \
    X(COOKIES_RIGHT, "cookies_right")                                                           \
    X(COOKIE_ALARMS, "cookie_alarms") /* how often a flood began */                             \
    X(INVALID_KE_SENT, "invalid_ke_sent")                                                       \
    X(NO_PROPOSAL_SENT, "no_proposal_sent")                                                     \
    X(ERRORS_SENT, "errors_sent")                                                               \
    X(ERRORS_HELD, "errors_held_back") /* unprotected ones over the limits */                   \
    X(ERRORS_RECEIVED, "errors_received")                                                       \
    X(RETRANSMITS, "retransmits")                                                               \
    X(REPLAYED_REPLIES, "replayed_replies") /* a request came again: the cached reply */        \
    X(REPLIES_HELD, "replies_held_back")    /* it came from elsewhere, too often */             \
    X(FRAGMENTED, "messages_fragmented")                                                        \
    X(REASSEMBLED, "messages_reassembled")                                                      \
    X(REASSEMBLY_EXPIRED, "reassembly_expired") /* the other fragments did not come */          \
    X(TIMEOUTS, "timeouts")                                                                     \
    X(PROBES, "liveness_checks") /* nothing was heard for a while: an empty INFORMATIONAL */    \
    X(HINTS, "liveness_hints")   /* an unprotected word that the peer may have forgotten us */  \
    X(PEERS_DEAD, "peers_dead")  /* an established SA whose peer does not answer any more */    \
    X(HALF_OPEN_EXPIRED, "half_open_expired")                                                   \
    X(AUTH_FAILED, "authentication_failed")                                                     \
    X(ESTABLISHED, "established")                                                               \
    X(CHILDREN, "children_established")                                                         \
    X(DELETED_BY_PEER, "deleted_by_peer")                                                       \
    X(KEEPALIVES, "keepalives_sent")                                                            \
    X(MOVES, "moves") /* an IKE SA got other ends */                                            \
    X(ACQUIRES, "acquires")                                                                     \
    X(ACQUIRES_IGNORED, "acquires_ignored")                                                     \
    X(REDUNDANT, "redundant_closed") /* both ends had started; one SA was closed */             \
    X(SURPLUS, "surplus_closed")     /* more IKE SAs with one peer than sas_max */              \
    X(FAILURES, "failures")          /* our own: memory, provider, kernel */

enum counter {
#define COUNTER_ENUM(name, text) COUNTER_##name,
    COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
        COUNTER_COUNT
};

#endif
