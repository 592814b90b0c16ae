/*
 * The control server's surroundings (control_server.h).
 */
#include "test/unit/control_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "config.h"

#define GREETING   "{\"iked\":\"" IKED_VERSION "\",\"protocol\":1}\n"
#define REPLY_SIZE 1048576

/* --- The world around the server --- */

static uint64_t world_now_ms(void *context)
{
    (void)context;
    return 5000;
}

static void world_run(void *context, const struct command *command)
{
    struct control_world *world = context;
    struct effect_result result = {.command = command->number, .done = true, .text = "at once"};

    world->last_command = *command;
    world->command_count++;
    if (world->answer_at_once)
        control_result(world->control, &result);
}

static void world_reload(void *context, uint64_t number, bool dry_run, bool force)
{
    struct control_world *world = context;

    world->reload_number = number;
    world->reload_dry_run = dry_run;
    world->reload_force = force;
}

int setup(void **state)
{
    struct control_world *world = calloc(1, sizeof(*world));
    const struct control_hooks hooks = {
        .engine = &world->engine,
        .now_ms = world_now_ms,
        .run = world_run,
        .reload = world_reload,
        .context = world,
    };

    signal(SIGPIPE, SIG_IGN);
    world->reply = malloc(REPLY_SIZE);
    strcpy(world->folder, "/tmp/iked-control-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->address.sun_family = AF_UNIX;
    snprintf(world->address.sun_path, sizeof(world->address.sun_path), "%s/s", world->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&world->address, sizeof(world->address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    world->engine.config =
        policy_config("connections: {\n"
                      " db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };\n"
                      " web: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; };\n"
                      "};\n");
    world->base = event_base_new();
    world->control = control_new(world->base, fd, &hooks);
    assert_non_null(world->control);
    *state = world;
    return 0;
}

int teardown(void **state)
{
    struct control_world *world = *state;

    control_free(world->control);
    event_base_free(world->base);
    config_free(world->engine.config);
    unlink(world->address.sun_path);
    rmdir(world->folder);
    free(world->reply);
    free(world);
    return 0;
}

/* --- Clients --- */

void turn(struct control_world *world)
{
    for (int i = 0; i < 8; i++)
        event_base_loop(world->base, EVLOOP_NONBLOCK);
}

const char *receive(struct control_world *world, int fd)
{
    size_t size = 0;

    for (;;) {
        turn(world);
        ssize_t got = recv(fd, world->reply + size, REPLY_SIZE - 1 - size, MSG_DONTWAIT);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    world->reply[size] = '\0';
    return world->reply;
}

void say(struct control_world *world, int fd, const char *text)
{
    while (*text != '\0') {
        ssize_t sent = send(fd, text, strlen(text), MSG_DONTWAIT);
        turn(world);
        text += sent > 0 ? sent : 0;
    }
}

const char *ask(struct control_world *world, int fd, const char *text)
{
    say(world, fd, text);
    return receive(world, fd);
}

int connect_silently(struct control_world *world)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&world->address, sizeof(world->address)), 0);
    return fd;
}

int client_of(struct control_world *world)
{
    int fd = connect_silently(world);

    assert_string_equal(receive(world, fd), GREETING);
    return fd;
}

bool at_end(struct control_world *world, int fd)
{
    char octet;

    turn(world);
    return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

long counter(struct control_world *world, const char *name)
{
    int fd = client_of(world);
    const char *reply = ask(world, fd, "{\"id\":1,\"verb\":\"show\",\"what\":\"counters\"}\n");
    char key[64];

    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *found = strstr(reply, key);
    assert_non_null(found);
    close(fd);
    turn(world);
    return strtol(found + strlen(key), NULL, 10);
}
