/*
 * Changes, gathered: see watch.h.
 */
#include "iked/keeper/watch.h"

#include <stdlib.h>

#include <event2/event.h>

#include "iked/process/clock.h"

struct watch {
    struct watch_hooks hooks;
    struct event *readable;
    struct event *timer;
    uint64_t first_ms; /* when the first change was seen that nobody was told of, 0: none */
    uint64_t rest_ms;
    uint64_t told_ms;
};

uint64_t watch_rest_ms(uint64_t rest_ms, uint64_t since_told_ms)
{
    if (rest_ms == 0 || since_told_ms >= WATCH_MOST_MS)
        return WATCH_REST_MS;
    return rest_ms < WATCH_MOST_MS / 2 ? rest_ms * 2 : WATCH_MOST_MS;
}

uint64_t watch_wait_ms(uint64_t rest_ms, uint64_t since_first_ms)
{
    uint64_t left_ms = since_first_ms < WATCH_MOST_MS ? WATCH_MOST_MS - since_first_ms : 0;

    return left_ms < rest_ms ? left_ms : rest_ms;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct watch *watch = context;
    uint64_t now_ms = clock_now_ms();

    (void)fd;
    (void)what;
    if (!watch->hooks.read(watch->hooks.context))
        return;
    if (watch->first_ms == 0) {
        watch->first_ms = now_ms;
        watch->rest_ms = watch_rest_ms(watch->rest_ms, now_ms - watch->told_ms);
    }
    uint64_t wait_ms = watch_wait_ms(watch->rest_ms, now_ms - watch->first_ms);
    struct timeval wait = clock_timeval(wait_ms);
    event_add(watch->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct watch *watch = context;

    (void)fd;
    (void)what;
    watch->first_ms = 0;
    watch->told_ms = clock_now_ms();
    watch->hooks.rested(watch->hooks.context);
}

struct watch *watch_new(struct event_base *base, int fd, const struct watch_hooks *hooks)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->hooks = *hooks;
    watch->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, watch);
    watch->timer = event_new(base, -1, 0, on_timer, watch);
    if (watch->readable != NULL && watch->timer != NULL && event_add(watch->readable, NULL) == 0)
        return watch;
    watch_free(watch);
    return NULL;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->readable != NULL)
        event_free(watch->readable);
    if (watch->timer != NULL)
        event_free(watch->timer);
    free(watch);
}
