/*
 * Any text as a configuration and as secrets (lib/policy).
 *
 * A record separator (0x1e) cuts the input into files.  What is refused must say so in one line
 * that begins with a file and a line; what is taken must be equal to itself, find its own parts
 * and survive a round trip of its proposals through text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy/diff.h"
#include "lib/policy/known.h"
#include "lib/policy/loss.h"
#include "lib/policy/match.h"
#include "lib/policy/proposal.h"
#include "lib/policy/secrets.h"
#include "test/common/leaks.h"
#include "test/fuzz/fuzz.h"

#define FILES_MAX 4
#define SEPARATOR 0x1e

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static size_t files_cut(struct config_text files[FILES_MAX], const uint8_t *data, size_t size)
{
    static const char *const paths[FILES_MAX] = {"f0", "f1", "f2", "f3"};
    size_t count = 0;

    while (count < FILES_MAX) {
        const uint8_t *end = size > 0 ? memchr(data, SEPARATOR, size) : NULL;
        size_t length = end != NULL && count + 1 < FILES_MAX ? (size_t)(end - data) : size;
        files[count] = (struct config_text){paths[count], slice_of(data, length)};
        count++;
        if (length == size)
            break;
        data += length + 1;
        size -= length + 1;
    }
    return count;
}

static void error_check(const char *error)
{
    unsigned line;
    char file;
    char rest;

    require(sscanf(error, "f%c:%u: %c", &file, &line, &rest) == 3, error);
    require(strlen(error) < CONFIG_ERROR_MAX - 1, "an error is cut");
    for (const char *c = error; *c != '\0'; c++)
        require(*c >= 0x20 && *c <= 0x7e, "an error is not printable");
}

static void proposals_check(const struct proposal_list *list, bool child)
{
    struct proposal_use use = {.child = child, .weak = true};
    char wrong[PROPOSAL_WRONG_MAX];

    for (size_t i = 0; i < list->count; i++) {
        char text[1024];
        char again[1024];
        struct proposal proposal;
        proposal_text(&list->items[i], text, sizeof(text));
        require(proposal_parse(&proposal, text, use, wrong), wrong);
        require(strcmp(proposal_text(&proposal, again, sizeof(again)), text) == 0, text);
    }
}

/* A peer that has only names is chosen as soon as one of them is resolved, and not before. */
static void choice_check(const struct config *config, const struct connection *connection)
{
    const struct address *remote = &connection->remote;
    const struct connection *found = NULL;

    if (connection->peer_count > 0)
        remote = connection->known_count > 0 ? &connection->known[0].address : NULL;
    if (remote == NULL)
        return;
    do
        found = choose_connection(config, connection->version, &connection->local, remote, found);
    while (found != NULL && found != connection);
    require(found == connection, "a connection is not chosen");
}

static void connection_check(struct config *config, const struct connection *connection)
{
    static const struct places nowhere = {0};
    const struct child_config *child;
    const struct connection *found = NULL;
    struct address resolved = {.family = connection->remote.family, .bytes = {203, 0, 113, 77}};

    require(config_find(config, connection->name) == connection, "a name is not found");
    choice_check(config, connection);
    config_learn(config, connection, &resolved, 1, &nowhere);
    require(connection->peer_count == 0 || connection_knows(connection, &resolved) ||
                address_same_host(&connection->local, &resolved),
            "a resolved address is not known");
    choice_check(config, connection);
    proposals_check(connection->proposals, false);
    TAILQ_FOREACH (child, &connection->children, entry) {
        require(config_find_reqid(config, child->reqid, &found) == child && found == connection,
                "a reqid is not found");
        proposals_check(child->esp, true);
    }
}

static void same(void *context, enum config_change change, const struct connection *before,
                 const struct connection *after)
{
    (void)context;
    require(change == CONFIG_SAME && before == after, "a configuration differs from itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_text files[FILES_MAX];
    size_t count = files_cut(files, data, size);
    char error[CONFIG_ERROR_MAX];
    const struct connection *connection;
    struct config *config = config_parse(files, count, error);

    if (config == NULL) {
        error_check(error);
    } else {
        TAILQ_FOREACH (connection, &config->connections, entry)
            connection_check(config, connection);
        config_diff(config, config, same, NULL);
    }
    config_free(config);
    struct secrets *secrets = secrets_parse(files, count, error);
    if (secrets == NULL)
        error_check(error);
    secrets_free(secrets);
    return 0;
}
