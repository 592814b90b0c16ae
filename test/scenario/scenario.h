/*
 * Scenarios: small text scripts on simulated hosts, one rule of the protocol each.
 *
 *   scenario WORDS...              begins one; the world is new.  '#' begins a comment.
 *   host NAME                      192.0.2.1 and 2001:db8::1, the next .2, ...; the indented lines
 *                                  that follow are its configuration
 *   two                            hosts a and b, connections ab and ba in the short form
 *   secret [HOST] "TEXT"           of all hosts, or of one (default: the same for all)
 *   start [HOST]  crash HOST       crash: the negotiator dies and the keeper goes on
 *   kill HOST  stop HOST  reboot HOST    both die, and the kernel keeps what it has; iked stops as
 *                                  systemctl does it (after "shutdown"); the kernel forgets, too
 *   flush HOST policies|states [unheard]   somebody else empties that table of its kernel; what the
 *                                  kernel says of that is lost
 *   configure HOST                 and indented lines
 *   up|down HOST CONNECTION        shutdown HOST
 *   rekey HOST CONNECTION [CHILD|ike]
 *   resolve NAME [ADDRESS...]      what the name means from now on; none: it cannot be resolved
 *   advance 4s | 500ms             let time pass
 *   ping HOST HOST [FROM TO]       one packet; FROM and TO are selectors ("10.1.0.1/32 tcp/80")
 *   pings 30s HOST HOST [FROM TO]  one in each second of that time
 *   cut [ADDRESS]  mend            no packet passes; none that comes from there or goes there
 *   also HOST ADDRESS              the host has this one, too
 *   undated HOST                   its kernel does not say when an SA was last used
 *
 *   drop|hold|double N [MATCH]     the next N IKE packets (that match); all what is not due now
 *                                  happens at once. Where none comes, the scenario has failed
 *   release [last]                 the held ones, first (or last) first
 *   edit MATCH: EDIT               the next packet that matches, before it is sealed:
 *       add [critical] PAYLOAD HEX | front PAYLOAD HEX | set PAYLOAD HEX | remove PAYLOAD |
 *       (remove notify TYPE, too) | repeat PAYLOAD | flip PAYLOAD OFFSET | cut PAYLOAD OCTETS |
 *       header FIELD VALUE |
 *       pad OCTETS              a Vendor ID payload of that size
 *       fragment NUMBER TOTAL   other numbers for a fragment
 *       mangle OFFSET           PAYLOAD: SA KE ... or a number; notify TYPE counts as one
 *   request HOST [newest] EXCHANGE [id N] {PAYLOAD HEX}    beside the engine, with the keys of its
 *                                  first IKE SA, or of its newest
 *   forge HOST EXCHANGE request|response [id N] {PAYLOAD HEX}   the same in the clear: whoever sees
 *                                  the wire can send it to the peer in HOST's name
 *   nat HOST ADDRESS [static]      the host is behind the NAT with that address; a static one keeps
 *                                  ports and lets anyone in
 *   move HOST ADDRESS              the host has another address from now on, and notices it
 *   rebind HOST                    its NAT forgets all mappings
 *   replay MATCH [FROM]            the last packet that matches, once more; from that address
 *   spoil MATCH                    the same with its last octet altered
 *   flood MATCH N [FROM]           the same N times with other SPIs of the initiator, from the
 *                                  addresses FROM, the one after it, ... (default: as it was)
 *   forget HOST                    INVALID_SPI for its first child, unprotected, from the peer
 *   send FROM HOST HEX             octets from a host or an address
 *   outside HOST                   what it sends to hosts that do not run leaves by UDP, over IPv4
 *   listen 20s REPORT              takes what comes from there until HOST reports these WORDS
 *
 *   crossing OPERATION OPERATION a|b
 *                                  hosts a and b, who each do something (test/common/crossing.h),
 *                                  and who of them loses where that is left to chance; the indented
 *                                  lines are the ladder of their messages: what happens is what
 *                                  they say, and they must be what happens
 *
 *   expect [no] sent MATCH         since the last one found; "mark" forgets what was before
 *   expect [no] report HOST WORDS...        what the keeper logs begins with "keeper"
 *   expect done|failed [WORDS...]  the last up, down, rekey, shutdown, configure
 *   expect ikes|half-open|children|larval|policies HOST N
 *   expect pair HOST HOST [transport|tunnel|udp|plain] [FROM TO]
 *                                  what one sends by the other receives by
 *   expect ping VERDICT HOST HOST [FROM TO]              clear, sealed, held or acquire
 *   expect delivered|refused HOST N
 *   expect counter HOST NAME N     expect idle HOST (no timer is armed)
 *   expect state HOST CONNECTION STATE      as `show` has it
 *   expect error|uncovered HOST CONNECTION [WORDS...] the same; without words: there is none
 *   expect silent HOST CONNECTION N         for so many seconds, while it is asked; 0: it is not
 *   expect narrowed HOST N         children with less than is configured
 *   expect kept HOST               all its SAs with keys are as they were before the last forge
 *
 * MATCH: a host (the sender), then words that the packet's line must hold, not as parts of others:
 * "a IKE_AUTH request 4500>4500", "a keepalive", "a IKE_AUTH request 1",
 * "b IKE_SA_INIT response COOKIE", "a IKE_AUTH request SKF 2/4".
 */
#ifndef TEST_SCENARIO_SCENARIO_H
#define TEST_SCENARIO_SCENARIO_H

#include "test/common/crossing.h"
#include "test/common/probe.h"
#include "test/common/tap.h"
#include "test/common/world.h"

#define WORDS_MAX  32
#define LINE_MAX_  2048
#define LINES_MAX  1024
#define RULES_MAX  32
#define OCTETS_MAX 8192

/* Lines about what happened, and the packets themselves. */
struct log {
    char *lines[LINES_MAX];
    struct flight *packets[LINES_MAX]; /* copies; NULL in the log of reports */
    size_t count;
    size_t cursor;
};

enum rule_kind { RULE_DROP, RULE_HOLD, RULE_DOUBLE, RULE_EDIT };

/* What is to happen to packets to come. */
struct rule {
    enum rule_kind kind;
    bool met; /* a packet */
    size_t left;
    char words[LINE_MAX_]; /* MATCH, and behind a ':' the edit */
};

struct words {
    size_t count;
    char *at[WORDS_MAX];
    char text[LINE_MAX_];
};

struct script {
    const char *path;
    unsigned line;
    const char *block; /* the indented lines that follow */
    struct crypto *crypto;
    struct world world;
    bool running; /* the world is there */
    bool verbose;
    struct log packets;
    struct log reports;
    struct rule rules[RULES_MAX];
    size_t rule_count;
    struct flight_list held;
    struct probe before; /* the last forge, of ... */
    struct host *forged_to;
    struct host *asked; /* by the last command, and its number */
    uint64_t command;
    int outside;               /* a socket, when ... */
    const struct host *inside; /* ... not NULL: whose */
    char secret[256];
    char error[1024]; /* "" while all is well */
};

/* False with the script's error. */
bool script_fail(struct script *script, const char *format, ...) PRINTF_LIKE(2, 3);

/* Splits a line; quotes keep blanks together. */
bool words_split(struct words *words, const char *line);

/* NULL with an error. */
struct host *script_host(struct script *script, const char *name);

/* "10.1.0.1/32 tcp/80", or a host's own address with UDP when `text` is NULL. */
bool script_selector(struct script *script, const struct host *host, const char *text,
                     struct selector *selector);

bool bytes_parse(struct script *script, const char *hex, uint8_t *octets, size_t room,
                 size_t *size);

/* Does a line begin with the first word, and hold all the others as they are? */
bool line_matches(const char *line, char *const *words, size_t count);

void log_clear(struct log *log);

/* --- command.c, edit.c, expect.c: one line each; false with an error --- */

bool command_run(struct script *script, struct words *words);
bool edit_apply(struct script *script, struct tap *tap, char *const *words, size_t count);
bool edit_payload(struct script *script, char *const *words, size_t count, size_t *used,
                  uint8_t *type, uint8_t *octets, size_t room, size_t *size);
bool message_request(struct script *script, char **words, size_t count);
bool message_forge(struct script *script, char **words, size_t count);
bool expect_run(struct script *script, char *const *words, size_t count);

/* --- outside.c --- */

bool outside_open(struct script *script, const struct host *host);
void outside_close(struct script *script);

/* False when the packet is for a host of the world. */
bool outside_send(struct script *script, const struct flight *flight);

bool outside_listen(struct script *script, uint64_t duration_ms, char *const *words, size_t count);

/* --- packet.c --- */

void script_effect(void *context, struct host *host, const struct effect *effect);
enum fate script_packet(void *context, struct flight *flight);

#endif
