/*
 * The world outside: one host of a scenario speaks by UDP with whatever there is, so that a real
 * daemon meets messages that no daemon makes.  See scenario.h; the lab is where this is used.
 *
 * Not here: what is sent.  The world's clock follows the real one while the script listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test/scenario/scenario.h"

#define IKE_PORT 500
#define TICK_MS  20

static uint64_t real_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct sockaddr_in sockaddr_of(const struct address *address)
{
    struct sockaddr_in socket_address = {.sin_family = AF_INET, .sin_port = htons(address->port)};

    memcpy(&socket_address.sin_addr, address->bytes, 4);
    return socket_address;
}

bool outside_open(struct script *script, const struct host *host)
{
    struct address local = host->v4;

    outside_close(script);
    local.port = IKE_PORT;
    struct sockaddr_in bound = sockaddr_of(&local);
    script->outside = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (script->outside < 0 ||
        bind(script->outside, (const struct sockaddr *)&bound, sizeof(bound)) != 0)
        return script_fail(script, "no socket at %s's address: %s", host->name, strerror(errno));
    script->inside = host;
    return true;
}

void outside_close(struct script *script)
{
    if (script->inside != NULL)
        close(script->outside);
    script->inside = NULL;
}

bool outside_send(struct script *script, const struct flight *flight)
{
    const struct host *to = world_host_at(&script->world, &flight->destination);
    struct sockaddr_in remote = sockaddr_of(&flight->destination);

    if (script->inside == NULL || (to != NULL && to->engine != NULL))
        return false;
    (void)(sendto(script->outside, flight->data.data, flight->data.size, 0,
                  (const struct sockaddr *)&remote, sizeof(remote)) < 0); /* lost on the way */
    return true;
}

static void receive(struct script *script)
{
    struct pollfd awaited = {.fd = script->outside, .events = POLLIN};
    static uint8_t octets[65536];
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);

    if (poll(&awaited, 1, TICK_MS) != 1)
        return;
    ssize_t size = recvfrom(script->outside, octets, sizeof(octets), MSG_DONTWAIT,
                            (struct sockaddr *)&from, &from_size);
    if (size < 0)
        return;
    struct address source = {.family = FAMILY_IPV4, .port = ntohs(from.sin_port)};
    struct address destination = script->inside->v4;
    memcpy(source.bytes, &from.sin_addr, 4);
    destination.port = IKE_PORT;
    world_inject(&script->world, &source, &destination, slice_of(octets, (size_t)size));
}

bool outside_listen(struct script *script, uint64_t duration_ms, char *const *words, size_t count)
{
    uint64_t start_ms = real_ms();
    uint64_t world_start_ms = script->world.now_ms;
    uint64_t passed_ms;

    if (script->inside == NULL)
        return script_fail(script, "nobody is outside");
    while ((passed_ms = real_ms() - start_ms) < duration_ms) {
        if (passed_ms > script->world.now_ms - world_start_ms)
            world_run(&script->world, passed_ms - (script->world.now_ms - world_start_ms));
        for (size_t i = script->reports.cursor; i < script->reports.count; i++)
            if (line_matches(script->reports.lines[i], words, count))
                return true;
        receive(script);
        world_settle(&script->world);
    }
    return script_fail(
        script, "was not reported; the last one: %s",
        script->reports.count == 0 ? "none" : script->reports.lines[script->reports.count - 1]);
}
