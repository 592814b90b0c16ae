/*
 * The messages between keeper and negotiator, and their one encoding for both ends.
 *
 * A datagram of the socket between them holds a batch of records: kind (1 octet), size (4 octets),
 * body.  Each body's layout is written once (ipc.c) and drives encoding and decoding alike.
 * Decoding delimits and refuses shapes that no honest end makes: unknown kinds, wrong direction,
 * enums past their end, names with odd characters, trailing octets.
 * Not here: the socket and its queue (channel.h), what a request may ask (keeper/gate/gate.h).
 */
#ifndef IKED_PROCESS_IPC_H
#define IKED_PROCESS_IPC_H

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "lib/sa/kernel_event.h"

#define IPC_DATAGRAM_MAX 65536
#define IPC_SOCKETS_MAX  16
#define IPC_PATH_MAX     512
#define IPC_TEXT_MAX     1024
#define IPC_FILES_MAX    4096  /* of a configuration */
#define IPC_CHUNK_MAX    60000 /* of a configuration file, per record */
#define IPC_OCTETS_MAX   24576 /* each of the octets to sign and to check */
#define IPC_AUTH_MAX     4096
#define IPC_KEY_MAX      128

/* RFC 7296 section 2: on the second, IKE stands behind a marker beside ESP (RFC 3948). */
#define IPC_PORT_IKE    500
#define IPC_PORT_NAT    4500
#define IPC_MARKER_SIZE 4

enum ipc_side { IPC_KEEPER, IPC_NEGOTIATOR };

enum ipc_kind {
    /* From the keeper. */
    IPC_HELLO = 1,   /* first of all; the sockets travel with it */
    IPC_CONFIG_PART, /* some text of a file */
    IPC_CONFIG_END,  /* the parts before are a whole configuration */
    IPC_ANSWER,      /* to an effect with a ticket */
    IPC_EVENT,       /* of the kernel */
    IPC_TROUBLE,     /* an effect without a ticket failed */
    IPC_REFUSED,     /* a reload came to nothing */
    IPC_SHUTDOWN,    /* say goodbye to the peers, then BYE */
    /* From the negotiator. */
    IPC_EFFECT, /* carry this out */
    IPC_RELOAD, /* read the files anew */
    IPC_COMMIT, /* the engine runs this generation of the configuration */
    IPC_BYE,    /* the shutdown is complete */
    IPC_LOG,    /* a line for the log */
    IPC_KIND_COUNT
};

enum ipc_role { IPC_ROLE_UDP, IPC_ROLE_CONTROL, IPC_ROLE_COUNT };

/* One of the descriptors that come with HELLO, in their order. */
struct ipc_socket {
    uint8_t role;   /* enum ipc_role */
    uint8_t family; /* UDP: enum family */
    uint16_t port;  /* UDP: the local one */
};

struct ipc_hello {
    uint8_t log_level; /* enum severity */
    bool kernel_none;  /* nothing is protected; clients are told */
    uint8_t socket_count;
    struct ipc_socket sockets[IPC_SOCKETS_MAX];
};

struct ipc_config_part {
    char path[IPC_PATH_MAX];
    bool last;         /* of this file */
    struct slice text; /* borrowed: from the caller, or from the datagram */
};

struct ipc_config_end {
    uint32_t generation;
    uint64_t number; /* of the reload that asked for it, 0: nobody did */
    bool dry_run;
    bool force;           /* of the reload */
    bool secrets_changed; /* too, or alone */
};

struct ipc_trouble {
    struct name connection;
    char text[IPC_TEXT_MAX];
};

struct ipc_refused {
    uint64_t number;
    char text[IPC_TEXT_MAX];
};

struct ipc_reload {
    uint64_t number; /* comes back in CONFIG_END or REFUSED */
    bool dry_run;
    bool force; /* most connections may go */
};

struct ipc_log {
    uint8_t severity; /* enum severity */
    char text[IPC_TEXT_MAX];
};

struct ipc_message {
    enum ipc_kind kind;
    union {
        struct ipc_hello hello;
        struct ipc_config_part config_part;
        struct ipc_config_end config_end;
        struct answer answer;
        struct kernel_event event;
        struct ipc_trouble trouble;
        struct ipc_refused refused;
        struct effect effect; /* only kinds that the keeper carries out */
        struct ipc_reload reload;
        uint32_t commit; /* a generation */
        struct ipc_log log;
    };
};

/* Appends one record; false (and nothing appended) when there is no room or a part is larger than
 * its maximum.  The message is not changed. */
MUST_USE bool ipc_encode(struct writer *writer, struct ipc_message *message);

/* Reads the next record, which `from` must have sent.  False on any fault; nothing is owned then.
 * Otherwise the caller frees it (ipc_message_free). */
MUST_USE bool ipc_decode(struct reader *reader, enum ipc_side from, struct ipc_message *message);

void ipc_message_free(struct ipc_message *message);

/* "effect", "config-end", ... for logs. */
const char *ipc_kind_name(enum ipc_kind kind);

/* Puts `text` into a message's field of `size`, cut. */
void ipc_text(char *to, size_t size, const char *text);

#endif
