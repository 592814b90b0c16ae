/*
 * What becomes of packets at every moment: whatever the kernels' policies are, no packet leaves in
 * the clear that a configuration requires to be protected, and none goes to a peer for whom another
 * one is configured.  See simulate.h.
 *
 * Packets are not sent for it: the kernel is asked what would become of them, each time that one of
 * its policies has changed, and now and then.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/policy/piece.h"
#include "lib/policy/selector.h"
#include "test/simulate/simulate.h"

/* --- Which packets --- */

/* A single packet out of a pair: the first, the last, or one between them. */
static struct selector packet_of(const struct selector *side, unsigned which, uint8_t protocol)
{
    struct selector packet = *side;

    if (which == 0)
        memcpy(packet.end, packet.start, sizeof(packet.end));
    else
        memcpy(packet.start, packet.end, sizeof(packet.start));
    if (which == 2)
        for (size_t i = 0; i < sizeof(packet.start); i++)
            packet.start[i] = packet.end[i] =
                (uint8_t)(side->start[i] | ((side->start[i] ^ side->end[i]) & 0x5a));
    packet.protocol = protocol;
    packet.port_start = packet.port_end = which == 0 ? side->port_start : side->port_end;
    return packet;
}

/* Among all that the host is configured for: is the packet required to be protected, and who comes
 * first for it? */
static void judge(const struct config *config, struct watched *watched)
{
    static struct piece pieces[PIECES_MAX];
    uint32_t best = UINT32_MAX;
    const struct connection *connection;
    const struct child_config *child;
    struct child_selectors pair;
    size_t count;

    TAILQ_FOREACH (connection, &config->connections, entry) {
        TAILQ_FOREACH (child, &connection->children, entry) {
            for (size_t i = 0; child_pair(child, i, &pair); i++) {
                if (!selector_contains(&pair.local, &watched->local) ||
                    !selector_contains(&pair.remote, &watched->remote) ||
                    pieces_of(&pair.local, &pair.remote, pieces, &count, NULL) != STATUS_OK)
                    continue;
                watched->required = watched->required || child->policy == POLICY_REQUIRE;
                for (size_t j = 0; j < count; j++) {
                    uint32_t priority = piece_priority(&pieces[j], child->policy);
                    if (priority > best ||
                        !fake_piece_has(&pieces[j], &watched->local, &watched->remote))
                        continue;
                    watched->owner_count = priority < best ? 0 : watched->owner_count;
                    best = priority;
                    if (watched->owner_count < WATCHED_OWNERS_MAX)
                        watched->owners[watched->owner_count++] = connection;
                }
            }
        }
    }
}

static void add_pair(struct watch *watch, const struct config *config,
                     const struct child_selectors *pair)
{
    uint8_t protocol = pair->local.protocol != 0 ? pair->local.protocol : pair->remote.protocol;

    for (unsigned which = 0; which < 3 && watch->count < WATCHED_MAX; which++) {
        struct watched *watched = &watch->items[watch->count++];
        *watched = (struct watched){
            .local = packet_of(&pair->local, which, protocol != 0 ? protocol : 17),
            .remote = packet_of(&pair->remote, which, protocol != 0 ? protocol : 17)};
        judge(config, watched);
    }
}

/* --- What becomes of them --- */

static bool is_required(const struct config *config, const struct watched *watched)
{
    struct watched again = {.local = watched->local, .remote = watched->remote};

    if (config == NULL)
        return true;
    judge(config, &again);
    return again.required;
}

/* Is the SA the connection's, or one of another with the same peer? */
static bool is_for(const struct run *run, const struct connection *connection,
                   const struct fake_sa *sa)
{
    const struct host *peer = world_host_at(&run->world, &sa->destination);

    return strcmp(connection->name, sa->connection.text) == 0 ||
           (connection->remote.family != FAMILY_NONE &&
            world_host_at(&run->world, &connection->remote) == peer);
}

static bool is_owners(const struct run *run, const struct watched *watched,
                      const struct fake_sa *sa)
{
    for (size_t i = 0; i < watched->owner_count; i++)
        if (is_for(run, watched->owners[i], sa))
            return true;
    return false;
}

/* What a configuration gives to another connection stays with the one in whose hands it is, until
 * it loses it (iked.conf(5), "Children"): whose connection came first for the packet when it came
 * into its hands, and has had it ever since.  Whoever gets it later has to come first then. */
static void note_holder(const struct run *run, const struct host *host, struct watched *watched,
                        enum fake_verdict verdict, const struct fake_sa *sa)
{
    struct watched before = {.local = watched->local, .remote = watched->remote};

    if (verdict != FAKE_SEALED) {
        watched->held = (struct name){""};
        return;
    }
    if (strcmp(watched->held.text, sa->connection.text) == 0)
        return;
    bool own = is_owners(run, watched, sa);
    if (!own && host->keeper.before != NULL) { /* good until the newest is committed */
        judge(host->keeper.before, &before);
        own = is_owners(run, &before, sa);
    }
    watched->held = own ? sa->connection : (struct name){""};
}

static void check_packet(struct run *run, const struct host *host, struct watched *watched)
{
    const struct fake_sa *sa;
    enum fake_verdict verdict =
        fake_kernel_would(&host->kernel, &watched->local, &watched->remote, NULL, &sa);
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    note_holder(run, host, watched, verdict, sa);
    if (verdict == FAKE_CLEAR && watched->required && is_required(host->keeper.before, watched))
        run_fail(run, "%s lets %s to %s out in the clear", host->name,
                 selector_text(&watched->local, local), selector_text(&watched->remote, remote));
    if (verdict != FAKE_SEALED || host->keeper.before != NULL || watched->owner_count == 0)
        return;
    if (!is_owners(run, watched, sa) && strcmp(watched->held.text, sa->connection.text) != 0)
        run_fail(run, "%s sends what is %s's (%s to %s) by an SA of %s", host->name,
                 watched->owners[0]->name, selector_text(&watched->local, local),
                 selector_text(&watched->remote, remote), sa->connection.text);
}

/* What is known of a packet's holder is kept when the packets of a new configuration are looked
 * up. */
static void keep_held(struct watch *watch, const struct watch *before)
{
    for (size_t i = 0; i < watch->count; i++)
        for (size_t j = 0; j < before->count; j++)
            if (selector_equal(&watch->items[i].local, &before->items[j].local) &&
                selector_equal(&watch->items[i].remote, &before->items[j].remote))
                watch->items[i].held = before->items[j].held;
}

/* Of a list of one, as shape.c writes it. */
static void quoted_selector(const char *text, struct selector *selector)
{
    char bare[SUBNET_MAX];
    char wrong[SELECTOR_WRONG_MAX];
    struct address unused = {.family = FAMILY_IPV4};

    snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(text + 1, "\""), text + 1);
    if (!selector_parse(selector, bare, &unused, wrong))
        abort();
}

/* What a thief reaches for lies between the ends of what is configured. */
static void add_stolen(const struct run *run, const struct host *host, struct watch *watch,
                       const struct config *config)
{
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct pair *pair = &run->pairs[i];
        struct child_selectors stolen;
        if (*pair->stolen == '\0' || pair->ends[1].host != host)
            continue;
        quoted_selector(pair->nets[1], &stolen.local);
        quoted_selector(pair->stolen, &stolen.remote);
        add_pair(watch, config, &stolen);
    }
}

static void fill(const struct run *run, const struct host *host, struct watch *watch,
                 const struct config *config)
{
    const struct connection *connection;
    const struct child_config *child;
    struct child_selectors pair;
    static struct watch before;

    before = *watch;
    watch->count = 0;
    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry)
            for (size_t i = 0; child_pair(child, i, &pair); i++)
                add_pair(watch, config, &pair);
    add_stolen(run, host, watch, config);
    keep_held(watch, &before);
}

static bool has_sa(const struct host *host, const struct host *peer)
{
    const struct fake_sa *sa;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        if (!sa->larval && !sa->inbound && !sa->orphan &&
            world_host_at(host->world, &sa->destination) == peer)
            return true;
    return false;
}

/* The first pair whose traffic several identities of one connection of this host's want, or
 * NULL. */
static const struct pair *contested_pair(const struct run *run, const struct host *host)
{
    for (size_t i = 0; i < run->pair_count; i++)
        if (run->pairs[i].contested)
            return run->pairs[i].ends[1].host == host ? &run->pairs[i] : NULL;
    return NULL;
}

void run_grants(struct run *run, const struct host *host)
{
    const struct pair *pair = contested_pair(run, host);
    const struct child_sa *child = NULL;
    bool claims[WORLD_HOSTS_MAX] = {false};

    if (pair == NULL || host->engine == NULL)
        return;
    while ((child = probe_claim(host->engine, &pair->packets[1], &pair->packets[0], child)) !=
           NULL) {
        const struct host *peer = world_host_at(&run->world, &child->owner->remote);
        if (peer != NULL)
            claims[peer->index] = true;
    }
    for (size_t i = 0; i < run->world.host_count; i++) {
        if (claims[i] && run->granted[i] == 0)
            run->granted[i] = ++run->grants;
        else if (!claims[i])
            run->granted[i] = 0;
    }
}

/* Was the one's child granted when the other had none?  That order counts, not the one in which the
 * kernel gets to know: the wider of two may be installed first, and has the packets until the
 * narrower, which was granted before it and goes first (iked.conf(5), "Children"), follows. */
static bool was_first(const struct run *run, const struct host *one, const struct host *other)
{
    uint64_t granted = run->granted[one->index];

    return granted != 0 &&
           (run->granted[other->index] == 0 || run->granted[other->index] > granted);
}

/* What several identities of one connection want stays with the first who has it until he loses it.
 */
static void check_holder(struct run *run, const struct host *host)
{
    const struct pair *pair = contested_pair(run, host);
    const struct fake_sa *sa;

    if (pair == NULL)
        return;
    bool held = fake_kernel_would(&host->kernel, &pair->packets[1], &pair->packets[0], NULL, &sa) ==
                FAKE_SEALED;
    const struct host *holder = held ? world_host_at(&run->world, &sa->destination) : NULL;
    if (holder != run->holder && holder != NULL && run->holder != NULL &&
        has_sa(host, run->holder) && was_first(run, run->holder, holder))
        run_fail(run, "%s has what is %s's still", holder->name, run->holder->name);
    if (holder != NULL || run->holder == NULL || !has_sa(host, run->holder))
        run->holder = holder;
}

void run_watch(struct run *run, const struct host *host)
{
    struct watch *watch = &run->watches[host->index];
    const struct host_keeper *keeper = &host->keeper;

    if (keeper->config == NULL || !keeper->installed || run->failure[0] != '\0' ||
        host->world->now_ms < run->flushed_until_ms[host->index])
        return;
    if (watch->generation != keeper->generation)
        fill(run, host, watch, keeper->config);
    watch->generation = keeper->generation;
    for (size_t i = 0; i < watch->count; i++)
        check_packet(run, host, &watch->items[i]);
    check_holder(run, host);
}

void run_watch_offer(struct run *run, const struct host *host)
{
    if (run->watches[host->index].generation != host->keeper.generation)
        run_watch(run, host);
}

void run_policies(void *context, struct host *host)
{
    run_watch(context, host);
}

void run_watch_all(struct run *run)
{
    for (size_t i = 0; i < run->world.host_count; i++)
        run_watch(run, run->world.hosts[i]);
}
