/*
 * A configuration as text that can be read again: see connection_print in config.h.
 *
 * Not here: keys that are a number, a flag or a word (key.c).
 */
#include "lib/policy/print.h"

#include <stdlib.h>

#include "lib/policy/connection.h"
#include "lib/policy/proposal.h"

#define PROPOSAL_TEXT_MAX 1024

/* --- Lists --- */

struct list {
    const struct printing *printing;
    size_t count;
};

static struct list list_begin(const struct printing *printing, const char *name)
{
    print_indent(printing);
    fprintf(printing->out, "%s = [", name);
    return (struct list){.printing = printing};
}

static void list_add(struct list *list, const char *text)
{
    fputs(list->count++ > 0 ? ", " : " ", list->printing->out);
    print_quoted(list->printing, text);
}

static void list_end(const struct list *list)
{
    fputs(" ];\n", list->printing->out);
}

void selectors_key_print(const struct printing *printing, const struct key *key, const void *target)
{
    const struct selector *selectors;
    size_t count = selectors_of(key, target, &selectors);
    char text[SELECTOR_TEXT_MAX];

    if (count == 0)
        return; /* the peer's own address */
    struct list list = list_begin(printing, key->name);
    for (size_t i = 0; i < count; i++)
        list_add(&list, selector_text(&selectors[i], text));
    list_end(&list);
}

void proposals_key_print(const struct printing *printing, const struct key *key, const void *target)
{
    const struct proposal_list *proposals = proposals_of(key, target);
    struct list list = list_begin(printing, key->name);
    char text[PROPOSAL_TEXT_MAX];

    for (size_t i = 0; i < proposals->count; i++)
        list_add(&list, proposal_text(&proposals->items[i], text, sizeof(text)));
    list_end(&list);
}

/* --- Ends --- */

static void print_string(const struct printing *printing, const char *name, const char *text)
{
    print_indent(printing);
    fprintf(printing->out, "%s = ", name);
    print_quoted(printing, text);
    fputs(";\n", printing->out);
}

static void print_identity(const struct printing *printing, const struct identity *identity)
{
    char text[4 * IDENTITY_MAX];

    print_string(printing, "id", identity_text(identity, text, sizeof(text)));
    print_string(printing, "auth", "psk");
}

static const char *host_text(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    return address->family == FAMILY_NONE ? "any" : address_text(address, text);
}

void version_key_print(const struct printing *printing, const struct key *key, const void *target)
{
    (void)target;
    print_indent(printing);
    fprintf(printing->out, "%s = %u;\n", key->name, (unsigned)key->initial);
}

void local_key_print(const struct printing *printing, const struct key *key, const void *target)
{
    const struct connection *connection = target;
    struct printing inner = print_open(printing, key->name);
    char text[ADDRESS_TEXT_MAX];

    print_string(&inner, "address", host_text(&connection->local, text));
    print_identity(&inner, connection->local_id);
    print_close(printing);
}

/* Of peers the file's word, not where they are now. */
void remote_key_print(const struct printing *printing, const struct key *key, const void *target)
{
    const struct connection *connection = target;
    struct printing inner = print_open(printing, key->name);
    char text[ADDRESS_TEXT_MAX];

    if (connection->peer_count == 0) {
        print_string(&inner, "address", host_text(&connection->remote, text));
    } else {
        struct list list = list_begin(&inner, "address");
        for (size_t i = 0; i < connection->peer_count; i++) {
            const struct peer_address *peer = &connection->peers[i];
            list_add(&list, peer->name != NULL ? peer->name : host_text(&peer->address, text));
        }
        list_end(&list);
    }
    print_identity(&inner, connection->remote_id);
    print_close(printing);
}

/* --- Groups --- */

void children_key_print(const struct printing *printing, const struct key *key, const void *target)
{
    const struct connection *connection = target;
    struct printing inner = print_open(printing, key->name);
    const struct child_config *child;

    TAILQ_FOREACH (child, &connection->children, entry) {
        struct printing innermost = print_open(&inner, child->name);
        keys_print(&innermost, &child_table, child);
        print_close(&inner);
    }
    print_close(printing);
}

void daemon_print(FILE *out, const struct daemon_settings *settings)
{
    struct printing printing = {.out = out};
    struct printing inner = print_open(&printing, "daemon");

    keys_print(&inner, &daemon_table, settings);
    print_close(&printing);
}

void connection_print(FILE *out, const struct connection *connection)
{
    struct printing printing = {.out = out, .depth = 1};
    struct printing inner = print_open(&printing, connection->name);

    keys_print(&inner, &connection_table, connection);
    print_close(&printing);
}
