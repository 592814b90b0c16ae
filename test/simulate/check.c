/*
 * What must hold: see simulate.h and section 7 of the design.
 */
#include <stdarg.h>
#include <string.h>

#include "lib/ikev2/ikev2_sa.h"
#include "test/simulate/simulate.h"

/* A connection's longest silence: an attempt runs out (5 tries from 500 ms), the longest back-off
 * (80 s), and an acquire that the kernel holds for 30 s. */
#define RECOVERY_MS 240000
#define CALM_MS     90000
#define ANEW_TRIES  30

/* What each host has, for whoever looks for the reason. */
static void print_host(const struct host *host, FILE *to)
{
    const struct ike_sa *sa = host->engine == NULL ? NULL : probe_first(host->engine);

    for (; sa != NULL; sa = TAILQ_NEXT(sa, entry))
        fprintf(to, "  %s: IKE SA %04x:%04x %s, %zu children%s%s\n", host->name,
                (unsigned)(sa->spi_i >> 48), (unsigned)(sa->spi_r >> 48), ike_state_name(sa->state),
                ike_sa_child_count(sa), sa->inherited ? ", inherited" : "",
                sa->delete_asked ? ", delete asked" : "");
    fprintf(to, "  the kernel of %s:\n", host->name);
    fake_kernel_print(&host->kernel, to);
}

void run_fail(struct run *run, const char *format, ...)
{
    va_list arguments;

    if (run->failure[0] != '\0')
        return;
    int size = snprintf(run->failure, sizeof(run->failure),
                        "at %.3f s: ", (double)run->world.now_ms / 1000);
    va_start(arguments, format);
    vsnprintf(run->failure + size, sizeof(run->failure) - (size_t)size, format, arguments);
    va_end(arguments);
    if (run->world.ladder == NULL)
        return;
    fprintf(run->world.ladder, "*** %s\n", run->failure);
    for (size_t i = 0; i < run->world.host_count; i++)
        print_host(run->world.hosts[i], run->world.ladder);
}

/* --- At every step --- */

/* An initiator sends through an SA only once the responder can receive by it (RFC 7296 section
 * 2.8). Before all is calm the responder may have lost it since.  Whoever answers the peer's own
 * request may be early. */
static void check_outbound(struct run *run, const struct host *host, const struct effect *effect)
{
    const struct effect_install_sa *install = &effect->install_sa;
    const struct host *peer = world_host_at(&run->world, &install->destination);
    const struct address *at = install->destination.family == FAMILY_IPV6 ? &peer->v6 : &peer->v4;
    const struct ike_sa *sa;

    for (sa = probe_first(host->engine); sa != NULL; sa = TAILQ_NEXT(sa, entry))
        if (ike_sa_own_spi(sa) == effect->ticket.sa && sa->initiator &&
            ikev2_of(sa)->theirs == NULL &&
            fake_kernel_find_sa(&peer->kernel, at, install->spi, install->protocol) == NULL)
            run_fail(run, "%s sends by ESP %08x, which %s does not hold", host->name, install->spi,
                     peer->name);
}

void run_effect(void *context, struct host *host, const struct effect *effect)
{
    struct run *run = context;

    if (effect->kind == EFFECT_INSTALL_SA && !effect->install_sa.inbound && run->calm)
        check_outbound(run, host, effect);
    run_watch_offer(run, host);
    run_grants(run, host);
    if (effect->kind == EFFECT_RESULT && effect->result.text[0] == '\0')
        run_fail(run, "%s: a result without a word", host->name);
}

void run_garbage(struct run *run, const struct address *source, const struct address *destination,
                 struct slice data)
{
    const struct host *to = world_host_at(&run->world, destination);

    if (to == NULL || to->engine == NULL)
        return;
    world_settle(&run->world);
    struct probe probe = probe_take(to->engine);
    uint64_t kernel = fake_kernel_digest(&to->kernel);

    world_inject(&run->world, source, destination, data);
    world_settle(&run->world);
    if (!probe_kept(&probe, to->engine))
        run_fail(run, "an unauthenticated message changed an SA of %s", to->name);
    if (fake_kernel_digest(&to->kernel) != kernel)
        run_fail(run, "an unauthenticated message changed the kernel of %s", to->name);
    probe_free(&probe);
}

/* --- Once it is quiet --- */

/* Is it the end's own address, or that of its NAT? */
static bool is_end(const struct run *run, const struct pair *pair, size_t side,
                   const struct address *address)
{
    return world_host_at(&run->world, address) == pair->ends[side].host &&
           address->family == pair->family;
}

static bool holds(const struct host *host, const struct fake_sa *other)
{
    const struct fake_sa *sa;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        if (sa->spi == other->spi && !sa->larval)
            return true;
    return false;
}

/* The SAs of one child between the two ends in one direction, as the host of `holder` has them.
 * One for any peer cannot replace what it held in an earlier life, and lets it serve on; that
 * counts as long as there is nothing newer and the other end has it: else it was another one's
 * behind the same NAT, or of a life before. */
static size_t count_sas(const struct run *run, const struct pair *pair, size_t holder, size_t from,
                        size_t child, const struct fake_sa **found)
{
    const struct fake_sa *sa;
    size_t count = 0;
    size_t orphans = 0;
    char name[32];

    snprintf(name, sizeof(name), "c%zu", child);
    TAILQ_FOREACH (sa, &pair->ends[holder].host->kernel.sas, entry) {
        if (sa->larval || strcmp(sa->child.text, name) != 0 ||
            strcmp(sa->connection.text, pair->ends[holder].name) != 0 ||
            !is_end(run, pair, from, &sa->source) || !is_end(run, pair, !from, &sa->destination))
            continue;
        if (pair->ends[holder].any && sa->orphan) {
            if (!holds(pair->ends[!holder].host, sa))
                continue;
            orphans++;
            *found = count == 0 ? sa : *found;
        } else {
            count++;
            *found = sa;
        }
    }
    return count == 0 ? orphans : count;
}

static bool are_siblings(const struct run *run)
{
    return run->pairs[run->pair_count - 1].sibling;
}

/* Where two connections have the same peer a child of one may be what both want (while one of them
 * was left out), and then the rest of it comes by a further child; the two ends may each take it
 * for the other connection's.  What one end sends by, the other receives by; that all packets
 * arrive says the rest. */
static void check_sas_of_siblings(struct run *run, const struct host *host, const struct host *peer)
{
    const struct fake_sa *out;

    TAILQ_FOREACH (out, &host->kernel.sas, entry) {
        const struct fake_sa *in =
            fake_kernel_find_sa(&peer->kernel, &out->destination, out->spi, out->protocol);
        if (out->larval || out->inbound)
            continue;
        if (in == NULL || in->key_size != out->key_size || in->mode != out->mode ||
            memcmp(out->key, in->key, in->key_size) != 0 || out->orphan || in->orphan)
            run_fail(run, "%s sends by ESP %08x, which %s does not have", host->name, out->spi,
                     peer->name);
    }
}

/* One for any peer that serves by what its earlier life has left: the other end hears packets, so
 * it has no reason to doubt its own IKE SA (RFC 7296 section 2.4). */
static bool serves_by_orphans(const struct run *run, const struct pair *pair)
{
    const struct fake_sa *sa = NULL;

    return pair->ends[1].any && count_sas(run, pair, 1, 1, 0, &sa) > 0 && sa->orphan;
}

/* What the one that lives sends by, the other's orphans receive by. */
static void check_sas_left(struct run *run, const struct pair *pair, size_t from)
{
    const struct host *host = pair->ends[from].host;
    const struct fake_sa *sa;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        if (!sa->larval && !sa->inbound && !sa->orphan &&
            is_end(run, pair, !from, &sa->destination) && !holds(pair->ends[!from].host, sa))
            run_fail(run, "%s sends by ESP %08x, which %s does not have", host->name, sa->spi,
                     pair->ends[!from].host->name);
}

/* That life may have ended in the midst of a rekeying: then the Delete of what was rekeyed, or of
 * what came of the other of two that crossed (RFC 7296 section 2.8.1), never comes, and the other
 * end keeps it until it rekeys in vain. */
static size_t sas_most(const struct run *run, const struct pair *pair)
{
    return !pair->agrees ? 0 : serves_by_orphans(run, pair) ? 3 : 1;
}

static void check_direction(struct run *run, const struct pair *pair, size_t from, size_t child)
{
    const struct fake_sa *out = NULL;
    const struct fake_sa *in = NULL;
    size_t wanted = pair->agrees ? 1 : 0;
    size_t most = sas_most(run, pair);

    if (are_siblings(run)) {
        check_sas_of_siblings(run, pair->ends[from].host, pair->ends[!from].host);
        return;
    }
    size_t out_count = count_sas(run, pair, from, from, child, &out);
    size_t in_count = count_sas(run, pair, !from, from, child, &in);

    if (out_count < wanted || in_count < wanted || out_count > most || in_count > most) {
        run_fail(run, "%s c%zu: %zu SAs out of %s, %zu into %s, expected %zu",
                 pair->ends[from].name, child, out_count, pair->ends[from].host->name, in_count,
                 pair->ends[!from].host->name, wanted);
        return;
    }
    if (!pair->agrees)
        return;
    if (out_count > wanted || in_count > wanted) {
        check_sas_left(run, pair, from);
        return;
    }
    if (out->spi != in->spi || out->key_size != in->key_size || out->mode != in->mode ||
        out->esn != in->esn || memcmp(out->key, in->key, in->key_size) != 0)
        run_fail(run, "%s c%zu: the two ends hold different SAs", pair->ends[from].name, child);
    if ((out->orphan && !pair->ends[from].any) || (in->orphan && !pair->ends[!from].any))
        run_fail(run, "%s c%zu: an orphan was kept", pair->ends[from].name, child);
}

/* Children that have less than they are configured for: while another connection with the same peer
 * was left out, what that is for was taken for a part of theirs. */
static size_t count_parts(const struct host *host)
{
    const struct child_sa *child;
    const struct ike_sa *sa;
    size_t count = 0;

    for (sa = probe_first(host->engine); sa != NULL; sa = TAILQ_NEXT(sa, entry))
        TAILQ_FOREACH (child, &sa->children, entry)
            count += child->own_policies;
    return count;
}

/* Of several pairs between two hosts either each has an IKE SA, or one that carries the others'
 * children, too.  What one end knows as a part of another connection's it has besides, when that
 * which it is for comes back: RFC 7296 knows no connections, and the other end sees no difference,
 * so that none of the two can say that the IKE SA is redundant. */
static void check_ikes_of_siblings(struct run *run, const struct pair *pair, size_t side)
{
    const struct host *host = pair->ends[side].host;
    const struct ike_sa *sa;
    size_t parts = count_parts(host) + count_parts(pair->ends[!side].host);
    size_t wanted = 0;
    size_t ikes = 0;
    size_t children = 0;

    for (size_t i = 0; i < run->pair_count; i++)
        wanted += run->pairs[i].child_count;
    for (sa = probe_first(host->engine); sa != NULL; sa = TAILQ_NEXT(sa, entry)) {
        ikes++;
        children += ike_sa_child_count(sa);
        if (sa->state != IKE_ESTABLISHED || sa->delete_asked)
            run_fail(run, "%s: an IKE SA is in state %s", host->name, ike_state_name(sa->state));
    }
    if (ikes == 0 || ikes > run->pair_count + parts || children == 0 || children > 2 * wanted)
        run_fail(run, "%s: %zu IKE SAs with %zu children for %zu connections", host->name, ikes,
                 children, run->pair_count);
}

/* Of several children each end may have begun another one, in an IKE SA of its own; one that has
 * lost its child since (it was flushed) stays beside the other. */
static bool is_spare(const struct pair *pair, const struct ike_sa *sa)
{
    return pair->child_count > 1 && sa->state == IKE_ESTABLISHED && ike_sa_child_count(sa) == 0;
}

/* One IKE SA between the two ends, established, carries all children; or each of them has one of
 * its own, where both ends began at once. */
static void check_ike(struct run *run, const struct pair *pair, size_t side)
{
    const struct host *host = pair->ends[side].host;
    const struct host *peer = pair->ends[!side].host;
    bool orphans = serves_by_orphans(run, pair);
    size_t wanted = orphans && side == 1 ? 0 : 1;
    const struct ike_sa *sa;
    size_t count = 0;
    size_t children = 0;

    if (are_siblings(run)) {
        check_ikes_of_siblings(run, pair, side);
        return;
    }

    for (sa = probe_first(host->engine); sa != NULL; sa = TAILQ_NEXT(sa, entry)) {
        if (!is_end(run, pair, !side, &sa->remote) || is_spare(pair, sa))
            continue;
        count++;
        children += ike_sa_child_count(sa);
        if (sa->state != IKE_ESTABLISHED || sa->delete_asked || ike_sa_child_count(sa) == 0)
            run_fail(run, "%s: an IKE SA of %s is in state %s with %zu children", host->name,
                     pair->ends[side].name, ike_state_name(sa->state), ike_sa_child_count(sa));
        if (!orphans && probe_find(peer->engine, sa->spi_i, sa->spi_r) == NULL)
            run_fail(run, "%s: %s does not have the IKE SA of %s", host->name, peer->name,
                     pair->ends[side].name);
    }
    if ((count != wanted && (wanted == 0 || count == 0 || count > pair->child_count)) ||
        children < wanted * pair->child_count ||
        children > wanted * sas_most(run, pair) * pair->child_count)
        run_fail(run, "%s: %zu IKE SAs with %zu children for %s, expected %zu", host->name, count,
                 children, pair->ends[side].name, wanted);
}

/* Is `peer` the other end of a pair of the host's, and may the two have SAs? */
static bool is_peer(const struct run *run, const struct host *host, const struct address *peer)
{
    for (size_t i = 0; i < 2 * run->pair_count; i++) {
        const struct pair *pair = &run->pairs[i / 2];
        if (pair->ends[i % 2].host == host && pair->agrees && is_end(run, pair, !(i % 2), peer))
            return true;
    }
    return false;
}

/* What check_direction and check_ike do not count: SAs with nobody, and what was begun and never
 * came to an end. Where two ends disagree an attempt may be under way. */
static void check_leaks(struct run *run, const struct host *host)
{
    const struct fake_sa *sa;
    const struct ike_sa *ike;
    bool disagrees = false;
    bool any = false;

    for (size_t i = 0; i < 2 * run->pair_count; i++) {
        if (run->pairs[i / 2].ends[i % 2].host != host)
            continue;
        disagrees = disagrees || !run->pairs[i / 2].agrees || run->pairs[i / 2].contested;
        any = any || run->pairs[i / 2].ends[i % 2].any;
    }
    TAILQ_FOREACH (sa, &host->kernel.sas, entry) {
        if (sa->larval ? disagrees : any && sa->orphan)
            continue;
        if (sa->larval || !is_peer(run, host, sa->inbound ? &sa->source : &sa->destination) ||
            world_host_at(&run->world, sa->inbound ? &sa->destination : &sa->source) != host)
            run_fail(run, "%s: ESP %08x is in the kernel for nothing", host->name, sa->spi);
    }
    for (ike = probe_first(host->engine); !disagrees && ike != NULL; ike = TAILQ_NEXT(ike, entry))
        if (ike->half_open || !is_peer(run, host, &ike->remote))
            run_fail(run, "%s: an IKE SA in state %s is there for nothing", host->name,
                     ike_state_name(ike->state));
}

/* Does it have what it is configured for, once all is quiet? */
static bool is_settled(const struct pair *pair)
{
    return pair->agrees && !pair->contested;
}

static bool any_contested(const struct run *run)
{
    bool contested = false;

    for (size_t i = 0; i < run->pair_count; i++)
        contested = contested || run->pairs[i].contested;
    return contested;
}

static void ping_all(struct run *run, bool agreeing_only)
{
    for (size_t i = 0; i < run->pair_count; i++)
        for (size_t side = 0; side < 2; side++)
            for (size_t child = 0; child < run->pairs[i].child_count; child++)
                if (is_settled(&run->pairs[i]) || !agreeing_only)
                    (void)pair_ping(run, &run->pairs[i], side, child);
}

static uint64_t delivered(const struct run *run)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < run->world.host_count; i++)
        sum += run->world.hosts[i]->delivered;
    return sum;
}

/* One packet each way on each child: how many did not arrive. */
static uint64_t lost_packets(struct run *run)
{
    uint64_t before = delivered(run);
    uint64_t expected = 0;

    for (size_t i = 0; i < run->pair_count; i++)
        expected += is_settled(&run->pairs[i]) ? 2 * run->pairs[i].child_count : 0;
    ping_all(run, true);
    world_run(&run->world, 500);
    return expected - (delivered(run) - before);
}

static void check_traffic(struct run *run)
{
    uint64_t lost = lost_packets(run);

    if (lost != 0)
        run_fail(run, "%llu packets did not arrive", (unsigned long long)lost);
}

/* Of those who want the same traffic one has it (who else has an SA has the rest of a network). */
static void check_contest(struct run *run)
{
    run_watch_all(run);
    if (any_contested(run) && run->holder == NULL)
        run_fail(run, "nobody has what several want");
}

static void check_all(struct run *run)
{
    check_contest(run);
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct pair *pair = &run->pairs[i];
        for (size_t side = 0; side < 2 && !pair->contested; side++) {
            for (size_t child = 0; child < pair->child_count; child++)
                check_direction(run, pair, side, child);
            if (pair->agrees)
                check_ike(run, pair, side);
        }
    }
    for (size_t i = 0; i < run->world.host_count; i++)
        check_leaks(run, run->world.hosts[i]);
}

/* Does packets' coming, or nothing but time, bring up the children of a pair? */
static bool starts(const struct pair *pair)
{
    return strcmp(pair->ends[0].start, "never") != 0 ||
           (!pair->ends[1].any && strcmp(pair->ends[1].start, "never") != 0);
}

/* Children that nobody starts by themselves, and of which a packet does not pass. */
static void ask_up(struct run *run)
{
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct pair *pair = &run->pairs[i];
        for (size_t child = 0; child < pair->child_count; child++) {
            if (!pair->agrees || starts(pair) || pair_would(run, pair, 0, child) == FAKE_SEALED)
                continue;
            (void)host_up(pair->ends[0].host, pair->ends[0].name);
            break;
        }
    }
}

static bool is_replacing(const struct run *run)
{
    for (size_t i = 0; i < run->world.host_count; i++)
        if (probe_restless(run->world.hosts[i]->engine) > 0 ||
            !TAILQ_EMPTY(&run->world.hosts[i]->work))
            return true;
    return false;
}

/* With short lives an SA may just be replaced: that takes a few round trips, and the old one
 * lingers for a second. */
static void await_calm(struct run *run)
{
    for (size_t i = 0; run->short_life_s != 0 && i < 3000 && is_replacing(run); i++)
        world_run(&run->world, 10);
}

/* Does a packet of each child pass, from both ends? */
static bool all_pass(const struct run *run)
{
    for (size_t i = 0; i < run->pair_count; i++)
        for (size_t side = 0; is_settled(&run->pairs[i]) && side < 2; side++)
            for (size_t child = 0; child < run->pairs[i].child_count; child++)
                if (pair_would(run, &run->pairs[i], side, child) != FAKE_SEALED)
                    return false;
    return true;
}

/* Whoever is served by orphans finds out in the first silence that nobody knows its IKE SA any more
 * (RFC 7296 section 2.4), and starts anew with the next packet. */
static void await_anew(struct run *run)
{
    for (size_t i = 0; i < ANEW_TRIES && !all_pass(run); i++) {
        ask_up(run);
        ping_all(run, true);
        world_run(&run->world, 1000);
    }
}

static bool any_serves_by_orphans(const struct run *run)
{
    for (size_t i = 0; i < run->pair_count; i++)
        if (serves_by_orphans(run, &run->pairs[i]))
            return true;
    return false;
}

static uint64_t kernels_digest(const struct run *run)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < run->world.host_count; i++)
        sum += fake_kernel_digest(&run->world.hosts[i]->kernel);
    return sum;
}

/* How often a kernel was asked to remove or to move what it did not have. */
static uint64_t missing_removals(const struct run *run)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < run->world.host_count; i++)
        sum += run->world.hosts[i]->kernel.missing_removals;
    return sum;
}

/* Does nothing change by itself any more?  Whoever is served by orphans may find out in a silence
 * that nobody answers for them. */
static bool is_steady(const struct run *run)
{
    bool steady = run->short_life_s == 0;

    for (size_t i = 0; i < run->pair_count; i++)
        steady = steady && !run->pairs[i].contested && !serves_by_orphans(run, &run->pairs[i]);
    return steady;
}

void run_recover(struct run *run)
{
    for (uint64_t ms = 0; ms < RECOVERY_MS && run->failure[0] == '\0'; ms += 1000) {
        if (!run->crowd || ms % 10000 == 0)
            ping_all(run, false);
        if (ms % 10000 == 0)
            ask_up(run);
        world_run(&run->world, 1000);
        run_watch_all(run);
    }
    await_calm(run);
    check_all(run);
    check_traffic(run);
    run->calm = true;
    uint64_t kernels = kernels_digest(run);
    bool steady = is_steady(run);
    bool orphans = any_serves_by_orphans(run);
    uint64_t missing = missing_removals(run);
    for (uint64_t ms = 0; ms < CALM_MS && run->failure[0] == '\0'; ms += 5000) {
        ping_all(run, true);
        world_run(&run->world, 5000);
    }
    if (steady && kernels_digest(run) != kernels)
        run_fail(run, "SAs were replaced though all was well");
    if (missing_removals(run) != missing)
        run_fail(run, "what was not there was to be removed");
    if (orphans)
        await_anew(run);
    await_calm(run);
    check_all(run);
    check_traffic(run);
}

/* --- Rekeying without a loss --- */

#define STORM_MS   30000
#define STORM_TICK 100
#define STORMS     200 /* of a thousand runs */

static uint64_t sent(const struct run *run)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < run->world.host_count; i++)
        sum += run->world.hosts[i]->sealed + run->world.hosts[i]->held + run->world.hosts[i]->clear;
    return sum;
}

void run_storm(struct run *run)
{
    uint64_t missing = sent(run) - delivered(run);

    if (run->failure[0] != '\0' || run->crowd || run->short_life_s != 0 ||
        !chance_hit(&run->chance, STORMS))
        return;
    /* RFC 7296 section 2.4: of an IKE SA that one end has forgotten nothing can be rekeyed; that
     * the other has to find out, and loses what it sends meanwhile. */
    for (size_t i = 0; i < run->pair_count; i++)
        if (!is_settled(&run->pairs[i]) || serves_by_orphans(run, &run->pairs[i]))
            return;
    world_say(&run->world, "storm");
    for (uint64_t ms = 0; ms < STORM_MS && run->failure[0] == '\0'; ms += STORM_TICK) {
        ping_all(run, true);
        if (chance_hit(&run->chance, 150))
            run_rekey(run);
        world_run(&run->world, STORM_TICK);
    }
    world_run(&run->world, STORM_MS);
    if (sent(run) - delivered(run) != missing)
        run_fail(run, "%llu packets were lost while SAs were rekeyed",
                 (unsigned long long)(sent(run) - delivered(run) - missing));
    check_all(run);
    check_traffic(run);
}
