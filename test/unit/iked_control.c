/*
 * What clients of the control server are told (control.h): answers, refusals, events, limits;
 * and what a reload says that it changes.
 */
#include "test/unit/control_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- The engine: these stand before the library's --- */

const struct config *engine_config(const struct engine *engine)
{
    return engine->config;
}

void engine_visit_sas(const struct engine *engine, uint64_t now_ms,
                      void (*visit)(void *context, const struct sa_view *view), void *context)
{
    const struct sa_view view = {
        .number = 1,
        .connection = "db",
        .state = "established",
        .local_id = "192.0.2.1",
        .remote_id = "192.0.2.2",
        .age_ms = now_ms,
    };

    for (size_t i = 0; i < engine->up_sas; i++)
        visit(context, &view);
}

void engine_visit_connections(const struct engine *engine, uint64_t now_ms,
                              void (*visit)(void *context, const struct connection_view *view),
                              void *context)
{
    const struct connection *connection;

    (void)now_ms;
    ((struct engine *)engine)->shows++;
    TAILQ_FOREACH (connection, &engine->config->connections, entry) {
        bool up = engine->up_sas > 0 && strcmp(connection->name, "db") == 0;
        const struct connection_view view = {
            .connection = connection,
            .state = up ? "up" : "down",
            .last_error = up ? "" : "no answer",
            .last_error_age_ms = 3000,
            .sa_count = up ? engine->up_sas : 0,
        };
        visit(context, &view);
    }
}

const char *engine_counter(const struct engine *engine, size_t i, uint64_t *value)
{
    (void)engine;
    *value = i == 0 ? 12 : UINT64_MAX;
    return i == 0 ? "packets_in" : i == 1 ? "packets_out" : NULL;
}

size_t engine_sa_count_of(const struct engine *engine, const char *connection)
{
    return strcmp(connection, "db") == 0 ? engine->up_sas : 0;
}

size_t engine_sa_count(const struct engine *engine)
{
    return engine->up_sas;
}

size_t engine_half_open_count(const struct engine *engine)
{
    (void)engine;
    return 0;
}

/* --- Show --- */

static void connections_are_shown(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    world->engine.up_sas = 1;
    const char *reply = ask(world, fd, "{\"id\":7,\"verb\":\"show\",\"what\":\"connections\"}\n");
    assert_non_null(strstr(reply, "{\"id\":7,\"connection\":{\"name\":\"db\",\"state\":\"up\","));
    assert_non_null(
        strstr(reply, "{\"id\":7,\"connection\":{\"name\":\"web\",\"state\":\"down\","));
    assert_non_null(strstr(reply, "}}\n{\"id\":7,\"done\":true}\n"));
    reply =
        ask(world, fd, "{\"id\":8,\"verb\":\"show\",\"what\":\"connections\",\"name\":\"web\"}\n");
    assert_null(strstr(reply, "\"name\":\"db\""));
    assert_non_null(strstr(reply, "\"error\":\"no answer\",\"error_age_ms\":3000}}\n"));
    close(fd);
}

static void sas_and_policies_are_shown(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    assert_string_equal(ask(world, fd, "{\"id\":1,\"verb\":\"show\",\"what\":\"sas\"}\n"),
                        "{\"id\":1,\"done\":true}\n");
    world->engine.up_sas = 2;
    const char *reply =
        ask(world, fd, "{\"id\":2,\"verb\":\"show\",\"what\":\"sas\",\"name\":\"db\"}\n");
    assert_memory_equal(reply, "{\"id\":2,\"sa\":{\"number\":1,\"connection\":\"db\",", 41);
    assert_non_null(strstr(reply, "\"age_ms\":5000,"));
    /* A connection that is configured, but has none. */
    assert_string_equal(
        ask(world, fd, "{\"id\":3,\"verb\":\"show\",\"what\":\"sas\",\"name\":\"web\"}\n"),
        "{\"id\":3,\"done\":true}\n");
    reply = ask(world, fd, "{\"id\":4,\"verb\":\"show\",\"what\":\"policies\",\"name\":\"web\"}\n");
    assert_memory_equal(reply, "{\"id\":4,\"policy\":{\"connection\":\"web\",\"child\":", 44);
    assert_non_null(strstr(reply, "\"mode\":\"transport\",\"local\":[\"192.0.2.1/32\"],"
                                  "\"remote\":[\"192.0.2.3/32\"],\"policy\":\"require\","
                                  "\"start\":\"traffic\"}}\n{\"id\":4,\"done\":true}\n"));
    close(fd);
}

static void counters_are_shown(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    world->engine.up_sas = 3;
    assert_string_equal(ask(world, fd, "{\"id\":1,\"verb\":\"show\",\"what\":\"counters\"}\n"),
                        "{\"id\":1,\"counters\":{\"packets_in\":12,"
                        "\"packets_out\":9223372036854775807,\"ike_sas_now\":3,"
                        "\"half_open_now\":0,\"udp_lost\":0,\"udp_unmarked\":0,"
                        "\"control_clients\":1,\"control_clients_refused\":0,"
                        "\"control_clients_dropped\":0,\"control_accept_errors\":0,"
                        "\"control_requests\":1,\"control_requests_bad\":0}}\n"
                        "{\"id\":1,\"done\":true}\n");
    close(fd);
}

static void unknown_names_get_the_nearest(void **state)
{
    static const char *const starts[] = {
        "{\"id\":1,\"verb\":\"up\"",
        "{\"id\":1,\"verb\":\"down\"",
        "{\"id\":1,\"verb\":\"show\",\"what\":\"connections\"",
        "{\"id\":1,\"verb\":\"show\",\"what\":\"sas\"",
        "{\"id\":1,\"verb\":\"show\",\"what\":\"policies\"",
    };
    struct control_world *world = *state;
    int fd = client_of(world);
    char line[128];

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        snprintf(line, sizeof(line), "%s,\"name\":\"wbe\"}\n", starts[i]);
        assert_string_equal(ask(world, fd, line),
                            "{\"id\":1,\"done\":false,\"code\":\"unknown-name\",\"error\":"
                            "\"no connection \\\"wbe\\\"; the nearest is \\\"web\\\"\"}\n");
    }
    assert_int_equal(world->command_count, 0);
    close(fd);
}

/* --- Bad input --- */

static void bad_lines_lose_nothing(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    size_t long_size = 3 * CONTROL_REQUEST_MAX;
    char *long_line = malloc(long_size + 2);

    memset(long_line, '{', long_size);
    strcpy(long_line + long_size, "\n");
    assert_string_equal(ask(world, fd, long_line),
                        "{\"id\":null,\"done\":false,\"code\":\"bad-request\",\"error\":"
                        "\"a line of more than 65536 octets\"}\n");
    assert_non_null(strstr(ask(world, fd, "\n"), "\"id\":null,\"done\":false"));
    assert_non_null(strstr(ask(world, fd, "{\"id\":5,\"verb\":\"shwo\"}\n"),
                           "{\"id\":5,\"done\":false,\"code\":\"bad-request\",\"error\":\"unknown "
                           "verb \\\"shwo\\\"; the nearest is \\\"show\\\"\"}\n"));
    send(fd, "\0\xff\n", 3, 0);
    assert_non_null(strstr(receive(world, fd), "\"code\":\"bad-request\""));
    /* A request that comes octet by octet, on the same connection. */
    for (const char *at = "{\"id\":6,\"verb\":\"show\",\"what\":\"sas\"}\n"; *at != '\0'; at++) {
        send(fd, at, 1, 0);
        turn(world);
    }
    assert_string_equal(receive(world, fd), "{\"id\":6,\"done\":true}\n");
    assert_int_equal(counter(world, "control_requests_bad"), 4);
    close(fd);
    free(long_line);
}

static void deep_json_is_refused(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    char *deep = malloc(60002);

    memset(deep, '[', 60000);
    strcpy(deep + 60000, "\n");
    assert_non_null(strstr(ask(world, fd, deep), "\"code\":\"bad-request\""));
    close(fd);
    free(deep);
}

/* --- Commands --- */

static void up_waits_for_its_result(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    struct effect_result result = {.done = true, .text = "db is up"};

    assert_string_equal(ask(world, fd, "{\"id\":9,\"verb\":\"up\",\"name\":\"db\"}\n"), "");
    assert_int_equal(world->last_command.kind, COMMAND_UP);
    assert_string_equal(world->last_command.name.text, "db");
    uint64_t up = world->last_command.number;
    assert_true(up >> 63 == 0);
    assert_string_equal(ask(world, fd, "{\"id\":10,\"verb\":\"down\",\"name\":\"web\"}\n"), "");
    assert_int_equal(world->last_command.kind, COMMAND_DOWN);
    uint64_t down = world->last_command.number;
    assert_true(up != down);
    assert_string_equal(
        ask(world, fd, "{\"id\":11,\"verb\":\"rekey\",\"name\":\"db\",\"child\":\"ike\"}\n"), "");
    assert_int_equal(world->last_command.kind, COMMAND_REKEY);
    assert_string_equal(world->last_command.name.text, "db");
    assert_string_equal(world->last_command.child.text, "ike");

    result.command = world->last_command.number + 1;
    control_result(world->control, &result);
    assert_string_equal(receive(world, fd), "");
    control_result(world->control,
                   &(struct effect_result){.command = down, .text = "it did not answer"});
    result.command = up;
    control_result(world->control, &result);
    control_result(world->control, &result);
    assert_string_equal(
        receive(world, fd),
        "{\"id\":10,\"done\":false,\"code\":\"failed\",\"error\":\"it did not answer\"}\n"
        "{\"id\":9,\"done\":true,\"text\":\"db is up\"}\n");
    close(fd);
}

static void who_waits_is_told_what_it_has_come_to(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    struct effect_progress progress = {.text = "no answer\x1b yet"};

    assert_string_equal(ask(world, fd, "{\"id\":9,\"verb\":\"up\",\"name\":\"db\"}\n"), "");
    progress.command = world->last_command.number;
    control_progress(world->control, &progress);
    assert_string_equal(receive(world, fd),
                        "{\"id\":9,\"progress\":{\"text\":\"no answer? yet\"}}\n");
    progress.command++; /* nobody's */
    control_progress(world->control, &progress);
    assert_string_equal(receive(world, fd), "");
    close(fd);
}

static void result_may_come_at_once(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    world->answer_at_once = true;
    assert_string_equal(ask(world, fd, "{\"id\":1,\"verb\":\"up\",\"name\":\"db\"}\n"),
                        "{\"id\":1,\"done\":true,\"text\":\"at once\"}\n");
    close(fd);
}

static void result_for_a_client_that_left_is_ignored(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    ask(world, fd, "{\"id\":9,\"verb\":\"up\",\"name\":\"db\"}\n");
    close(fd);
    turn(world);
    const struct effect_result result = {
        .command = world->last_command.number, .done = true, .text = "up"};
    control_result(world->control, &result);
    turn(world);
    control_result(world->control, &result);
    assert_int_equal(counter(world, "control_clients"), 2);
}

static void too_many_waiting_are_refused(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    int other = client_of(world);

    for (int i = 0; i < CONTROL_WAITING_MAX; i++)
        assert_string_equal(ask(world, fd, "{\"id\":1,\"verb\":\"up\",\"name\":\"db\"}\n"), "");
    assert_string_equal(ask(world, fd, "{\"id\":2,\"verb\":\"reload\"}\n"),
                        "{\"id\":2,\"done\":false,\"code\":\"busy\",\"error\":"
                        "\"too many requests of yours are waiting\"}\n");
    assert_string_equal(ask(world, other, "{\"id\":1,\"verb\":\"up\",\"name\":\"db\"}\n"), "");
    assert_int_equal(world->command_count, CONTROL_WAITING_MAX + 1);
    close(fd);
    close(other);
}

static void reload_waits_for_its_result(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    assert_string_equal(ask(world, fd, "{\"id\":1,\"verb\":\"reload\",\"dry_run\":true}\n"), "");
    assert_true(world->reload_dry_run);
    control_reload_result(world->control, world->reload_number, true, "added    x\n1 connection");
    assert_string_equal(receive(world, fd),
                        "{\"id\":1,\"done\":true,\"text\":\"added    x\\n1 connection\"}\n");
    assert_string_equal(ask(world, fd, "{\"id\":2,\"verb\":\"reload\"}\n"), "");
    assert_false(world->reload_dry_run);
    assert_false(world->reload_force);
    control_reload_result(world->control, world->reload_number, false, "iked.conf:3: no");
    assert_string_equal(
        receive(world, fd),
        "{\"id\":2,\"done\":false,\"code\":\"failed\",\"error\":\"iked.conf:3: no\"}\n");
    assert_string_equal(ask(world, fd, "{\"id\":3,\"verb\":\"reload\",\"force\":true}\n"), "");
    assert_true(world->reload_force);
    close(fd);
}

/* --- Monitor --- */

static void monitors_see_reports(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    int other = client_of(world);
    const struct effect_report report = {
        .severity = SEVERITY_INFO, .event = "ike-established", .connection = {"db"}, .text = "up"};

    assert_string_equal(ask(world, fd, "{\"id\":3,\"verb\":\"monitor\"}\n"), "");
    control_report(world->control, &report);
    const char *reply = receive(world, fd);
    assert_memory_equal(reply, "{\"id\":3,\"event\":{\"time_ms\":", 27);
    assert_non_null(strstr(reply, ",\"severity\":\"info\",\"event\":\"ike-established\","
                                  "\"connection\":\"db\",\"text\":\"up\"}}\n"));
    assert_string_equal(receive(world, other), "");
    assert_non_null(strstr(ask(world, fd, "{\"id\":4,\"verb\":\"monitor\"}\n"),
                           "{\"id\":4,\"done\":false,\"code\":\"busy\""));
    close(fd);
    turn(world);
    control_report(world->control, &report);
    close(other);
}

/* --- Limits --- */

static void clients_over_the_maximum_are_told(void **state)
{
    struct control_world *world = *state;
    int fds[CONTROL_CLIENTS_MAX];

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        fds[i] = client_of(world);
    int extra = connect_silently(world);
    assert_string_equal(receive(world, extra),
                        "{\"id\":null,\"done\":false,\"code\":\"busy\",\"error\":"
                        "\"too many clients\"}\n");
    assert_true(at_end(world, extra));
    close(extra);
    close(fds[0]);
    turn(world);
    assert_int_equal(counter(world, "control_clients_refused"), 1);
    for (int i = 1; i < CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
}

/* Requests are taken only as fast as their answers are read; none is lost. */
static void client_that_reads_late_gets_all(void **state)
{
    static const char line[] = "{\"id\":1,\"verb\":\"show\",\"what\":\"connections\"}\n";
    struct control_world *world = *state;
    int fd = client_of(world);
    size_t asked = 0;
    size_t answered = 0;
    size_t quiet = 0;

    while (quiet < 3) {
        ssize_t sent = send(fd, line, sizeof(line) - 1, MSG_DONTWAIT);
        turn(world);
        quiet = sent > 0 ? 0 : quiet + 1;
        if (sent > 0) {
            assert_int_equal(sent, sizeof(line) - 1);
            asked++;
        }
    }
    assert_true(world->engine.shows < asked);
    for (const char *reply; *(reply = receive(world, fd)) != '\0';)
        for (; (reply = strstr(reply, "\"done\":true")) != NULL; reply++)
            answered++;
    assert_int_equal(answered, asked);
    assert_int_equal(world->engine.shows, asked);
    close(fd);
}

static void monitor_that_does_not_read_is_dropped(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);
    struct effect_report report = {.severity = SEVERITY_INFO, .event = "test"};

    memset(report.text, '"', sizeof(report.text) - 1);
    ask(world, fd, "{\"id\":2,\"verb\":\"up\",\"name\":\"db\"}\n");
    ask(world, fd, "{\"id\":3,\"verb\":\"monitor\"}\n");
    for (size_t size = 0; size < CONTROL_PENDING_MAX + 1048576; size += 500)
        control_report(world->control, &report);
    turn(world);
    /* What it waited for went with it. */
    control_result(world->control,
                   &(struct effect_result){.command = world->last_command.number, .done = true});
    assert_int_equal(counter(world, "control_clients_dropped"), 1);
    close(fd);
}

static void client_that_only_listens_gets_its_answers(void **state)
{
    struct control_world *world = *state;
    int fd = client_of(world);

    say(world, fd,
        "{\"id\":1,\"verb\":\"up\",\"name\":\"db\"}\n"
        "{\"id\":2,\"verb\":\"show\",\"what\":\"sas\"}");
    shutdown(fd, SHUT_WR);
    assert_string_equal(receive(world, fd), "{\"id\":2,\"done\":true}\n");
    control_result(world->control,
                   &(struct effect_result){.command = world->last_command.number, .done = true});
    assert_string_equal(receive(world, fd), "{\"id\":1,\"done\":true}\n");
    assert_true(at_end(world, fd));
    close(fd);
}

/* --- What a reload changes --- */

static void changes_are_named(void **state)
{
    struct control_world *world = *state;
    struct config *after =
        policy_config("daemon: { on_exit = \"clear\"; };\n"
                      "connections: {\n"
                      " db: { local = \"192.0.2.1\"; remote = \"192.0.2.9\"; };\n"
                      " new: { local = \"192.0.2.1\"; remote = \"192.0.2.4\"; };\n"
                      "};\n");

    world->engine.up_sas = 2;
    char *text = control_changes(&world->engine, after, false);
    assert_non_null(strstr(text, "changed  the settings of daemon\n"));
    assert_non_null(strstr(text, "\nchanged  db, closing 2 IKE SAs\n"));
    assert_non_null(strstr(text, "\nadded    new\n"));
    assert_non_null(strstr(text, "\nremoved  web\n"));
    assert_string_equal(strrchr(text, '\n'), "\n0 connections unchanged");
    free(text);
    config_free(after);
}

static void no_change_is_said(void **state)
{
    struct control_world *world = *state;
    char *text = control_changes(&world->engine, world->engine.config, false);

    assert_string_equal(text, "nothing changed, 2 connections unchanged");
    free(text);
    text = control_changes(&world->engine, world->engine.config, true);
    assert_string_equal(text, "changed  the secrets, for negotiations from now on\n"
                              "2 connections unchanged");
    free(text);
}

static void many_changes_are_counted(void **state)
{
    struct control_world *world = *state;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    fputs("connections: {\n", file);
    for (int i = 0; i < 600; i++)
        fprintf(file, "c%d: { local = \"192.0.2.1\"; remote = \"10.0.%d.%d\"; };\n", i, i / 200,
                i % 200 + 1);
    fputs("};\n", file);
    fclose(file);
    struct config *after = policy_config(text);
    char *changes = control_changes(&world->engine, after, false);
    size_t lines = 1;
    for (const char *at = changes; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 502);
    assert_non_null(strstr(changes, "\n... and 102 more\n0 connections unchanged"));
    free(changes);
    config_free(after);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_are_shown),
        TEST(sas_and_policies_are_shown),
        TEST(counters_are_shown),
        TEST(unknown_names_get_the_nearest),
        TEST(bad_lines_lose_nothing),
        TEST(deep_json_is_refused),
        TEST(up_waits_for_its_result),
        TEST(who_waits_is_told_what_it_has_come_to),
        TEST(result_may_come_at_once),
        TEST(result_for_a_client_that_left_is_ignored),
        TEST(too_many_waiting_are_refused),
        TEST(reload_waits_for_its_result),
        TEST(monitors_see_reports),
        TEST(clients_over_the_maximum_are_told),
        TEST(client_that_reads_late_gets_all),
        TEST(monitor_that_does_not_read_is_dropped),
        TEST(client_that_only_listens_gets_its_answers),
        TEST(changes_are_named),
        TEST(no_change_is_said),
        TEST(many_changes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
