/*
 * The codec of control messages: lines of a stream, the greeting, requests, answers and items.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/control/item.h"
#include "lib/control/line.h"
#include "lib/control/message.h"
#include "lib/wire/ikev2.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- Lines --- */

/* Feeds `text` in pieces of `piece` octets and writes what comes out into `seen`: lines with "|"
 * behind each, "!" for one that was too long. */
static void run_lines(size_t max, const char *text, size_t piece, char *seen)
{
    struct control_lines lines;
    struct slice line;
    size_t left = strlen(text);

    assert_true(control_lines_init(&lines, max));
    *seen = '\0';
    while (left > 0) {
        size_t size = left < piece ? left : piece;
        size_t taken = control_lines_feed(&lines, slice_of(text, size));
        text += taken;
        left -= taken;
        enum control_line kind;
        size_t count = 0;
        while ((kind = control_lines_next(&lines, &line)) != CONTROL_LINE_NONE) {
            if (kind == CONTROL_LINE_WHOLE)
                strncat(seen, (const char *)line.data, line.size);
            strcat(seen, kind == CONTROL_LINE_WHOLE ? "|" : "!");
            count++;
        }
        assert_true(taken > 0 || count > 0);
    }
    control_lines_free(&lines);
}

static void lines_are_the_same_in_all_pieces(void **state)
{
    static const char text[] = "one\n\nthree\n12345678\n1234567\nx12345678901234567\nlast\nrest";
    char seen[256];

    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        run_lines(8, text, piece, seen);
        /* "12345678" and its newline are 9 octets, "1234567" and its newline are 8. */
        assert_string_equal(seen, "one||three|!1234567|!last|");
    }
}

static void line_left_over_is_counted(void **state)
{
    struct control_lines lines;
    struct slice line;

    (void)state;
    assert_true(control_lines_init(&lines, 16));
    assert_int_equal(control_lines_feed(&lines, slice_text("a\nbcd")), 5);
    assert_int_equal(control_lines_next(&lines, &line), CONTROL_LINE_WHOLE);
    assert_int_equal(control_lines_next(&lines, &line), CONTROL_LINE_NONE);
    assert_int_equal(control_lines_left(&lines), 3);
    assert_int_equal(control_lines_feed(&lines, slice_text("0123456789abcdef")), 13);
    assert_int_equal(control_lines_next(&lines, &line), CONTROL_LINE_TOO_LONG);
    assert_int_equal(control_lines_feed(&lines, slice_text("more of it")), 10);
    assert_int_equal(control_lines_left(&lines), 0);
    control_lines_free(&lines);
}

/* --- Greeting --- */

static void greeting_is_golden(void **state)
{
    struct control_greeting greeting = {"0.1.0", 1, false};
    struct control_greeting back;
    struct reason reason;
    char *line = control_greeting_encode(&greeting);

    (void)state;
    assert_string_equal(line, "{\"iked\":\"0.1.0\",\"protocol\":1}\n");
    assert_true(control_greeting_decode(slice_text(line), &back, &reason));
    assert_string_equal(back.version, "0.1.0");
    assert_int_equal(back.protocol, 1);
    assert_false(back.kernel_none);
    free(line);
    greeting.kernel_none = true;
    line = control_greeting_encode(&greeting);
    assert_string_equal(line, "{\"iked\":\"0.1.0\",\"protocol\":1,\"kernel\":\"none\"}\n");
    assert_true(control_greeting_decode(slice_text(line), &back, &reason));
    assert_true(back.kernel_none);
    free(line);
}

#define LONG_VERSION                                                                  \
    "{\"iked\":\"0123456789012345678901234567890123456789012345678901234567890123\"," \
    "\"protocol\":1}"

static void greeting_of_another_kind_is_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "220 mail.example.net ESMTP",
        "[]",
        "{\"protocol\":1}",
        "{\"iked\":1,\"protocol\":1}",
        "{\"iked\":\"1\"}",
        "{\"iked\":\"1\",\"protocol\":\"1\"}",
        "{\"iked\":\"\\u001b[2J\",\"protocol\":1}",
        LONG_VERSION,
    };
    struct control_greeting greeting;
    struct reason reason;

    (void)state;
    for (size_t i = 0; i < LENGTH(lines); i++) {
        reason.text[0] = '\0';
        assert_false(control_greeting_decode(slice_text(lines[i]), &greeting, &reason));
        assert_true(reason.text[0] != '\0');
    }
}

/* --- Requests --- */

static void request_round_trip(const struct control_request *request, const char *golden)
{
    struct control_request back;
    struct reason reason;
    char *line = control_request_encode(request);

    assert_string_equal(line, golden);
    assert_true(control_request_decode(slice_of(line, strlen(line) - 1), &back, &reason));
    assert_true(back.has_id);
    assert_int_equal(back.id, request->id);
    assert_int_equal(back.verb, request->verb);
    assert_int_equal(back.what, request->what);
    assert_string_equal(back.name.text, request->name.text);
    assert_string_equal(back.child.text, request->child.text);
    assert_int_equal(back.dry_run, request->dry_run);
    assert_int_equal(back.force, request->force);
    free(line);
}

static void requests_are_golden(void **state)
{
    static const struct {
        struct control_request request;
        const char *golden;
    } rows[] = {
        {{.id = 7, .verb = CONTROL_SHOW, .what = CONTROL_SAS, .name = {"db"}},
         "{\"id\":7,\"verb\":\"show\",\"what\":\"sas\",\"name\":\"db\"}\n"},
        {{.id = 3, .verb = CONTROL_SHOW, .what = CONTROL_CONFIG, .name = {"db"}},
         "{\"id\":3,\"verb\":\"show\",\"what\":\"config\",\"name\":\"db\"}\n"},
        {{.id = 0, .verb = CONTROL_SHOW, .what = CONTROL_COUNTERS},
         "{\"id\":0,\"verb\":\"show\",\"what\":\"counters\"}\n"},
        {{.id = 1, .verb = CONTROL_UP, .name = {"db"}},
         "{\"id\":1,\"verb\":\"up\",\"name\":\"db\"}\n"},
        {{.id = 2, .verb = CONTROL_DOWN, .name = {"a.b-c_d"}},
         "{\"id\":2,\"verb\":\"down\",\"name\":\"a.b-c_d\"}\n"},
        {{.id = 5, .verb = CONTROL_REKEY, .name = {"db"}},
         "{\"id\":5,\"verb\":\"rekey\",\"name\":\"db\"}\n"},
        {{.id = 6, .verb = CONTROL_REKEY, .name = {"db"}, .child = {"lan"}},
         "{\"id\":6,\"verb\":\"rekey\",\"name\":\"db\",\"child\":\"lan\"}\n"},
        {{.id = 3, .verb = CONTROL_RELOAD, .force = true},
         "{\"id\":3,\"verb\":\"reload\",\"dry_run\":false,\"force\":true}\n"},
        {{.id = 3, .verb = CONTROL_RELOAD, .dry_run = true},
         "{\"id\":3,\"verb\":\"reload\",\"dry_run\":true}\n"},
        {{.id = INT64_MAX, .verb = CONTROL_MONITOR},
         "{\"id\":9223372036854775807,\"verb\":\"monitor\"}\n"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        request_round_trip(&rows[i].request, rows[i].golden);
}

#define NAME_63 "012345678901234567890123456789012345678901234567890123456789012"

struct bad_request {
    const char *line;
    int64_t id;         /* -1: it cannot be read */
    const char *reason; /* how it begins: the rest is jansson's */
};

static const struct bad_request bad_requests[] = {
    {"", -1, "not JSON at column 0: "},
    {"hello", -1, "not JSON at column 5: "},
    {"{\"id\":1", -1, "not JSON at column 7: "},
    {"{\"id\":1,\"verb\":\"monitor\"} x", -1, "not JSON at column 27: "},
    {"{\"id\":1,\"id\":2}", -1, "not JSON at column 12: "},
    {"{\"id\":99999999999999999999}", -1, "not JSON at column 26: "},
    {"[]", -1, "an array; expected an object"},
    {"{}", -1, "\"verb\" is missing"},
    {"{\"id\":\"1\",\"verb\":\"monitor\"}", -1, "\"id\": a string; expected a whole number"},
    {"{\"id\":1.5,\"verb\":\"monitor\"}", -1, "\"id\": a fraction; expected a whole number"},
    {"{\"id\":null,\"verb\":\"monitor\"}", -1, "\"id\": null; expected a whole number"},
    {"{\"id\":-1,\"verb\":\"monitor\"}", -1, "\"id\": -1; expected 0 or more"},
    {"{\"verb\":\"monitor\"}", -1, "\"id\" is missing"},
    {"{\"id\":4}", 4, "\"verb\" is missing"},
    {"{\"id\":4,\"verb\":3}", 4, "\"verb\": a number; expected a string"},
    {"{\"id\":4,\"verb\":\"shwo\"}", 4, "unknown verb \"shwo\"; the nearest is \"show\""},
    {"{\"id\":4,\"verb\":\"show\"}", 4, "\"what\" is missing"},
    {"{\"id\":4,\"verb\":\"show\",\"what\":{}}", 4, "\"what\": an object; expected a string"},
    {"{\"id\":4,\"verb\":\"show\",\"what\":\"sa\"}", 4, "\"what\": \"sa\"; the nearest is \"sas\""},
    {"{\"id\":4,\"verb\":\"show\",\"wat\":\"sas\"}", 4,
     "unknown member \"wat\"; the nearest is \"what\""},
    {"{\"id\":4,\"verb\":\"show\",\"what\":\"counters\",\"name\":\"db\"}", 4,
     "\"name\" does not go with \"counters\""},
    {"{\"id\":4,\"verb\":\"up\"}", 4, "\"name\" is missing"},
    {"{\"id\":4,\"verb\":\"up\",\"name\":\"db\",\"child\":\"lan\"}", 4,
     "\"child\" does not go with \"up\""},
    {"{\"id\":4,\"verb\":\"rekey\",\"child\":\"lan\"}", 4, "\"name\" is missing"},
    {"{\"id\":4,\"verb\":\"rekey\",\"name\":\"db\",\"child\":\"\"}", 4,
     "\"child\": 0 octets; expected 1 to 63"},
    {"{\"id\":4,\"verb\":\"up\",\"name\":null}", 4, "\"name\": null; expected a string"},
    {"{\"id\":4,\"verb\":\"up\",\"name\":\"\"}", 4, "\"name\": 0 octets; expected 1 to 63"},
    {"{\"id\":4,\"verb\":\"up\",\"name\":\"" NAME_63 "x\"}", 4,
     "\"name\": 64 octets; expected 1 to 63"},
    {"{\"id\":4,\"verb\":\"up\",\"name\":\"db\",\"dry_run\":true}", 4,
     "\"dry_run\" does not go with \"up\""},
    {"{\"id\":4,\"verb\":\"reload\",\"dry_run\":1}", 4,
     "\"dry_run\": a number; expected true or false"},
    {"{\"id\":4,\"verb\":\"monitor\",\"name\":\"db\"}", 4, "\"name\" does not go with \"monitor\""},
    {"{\"id\":4,\"verb\":\"\\u001b[2J\"}", 4, "unknown verb \"?[2J\"; the nearest is \"show\""},
};

static void bad_requests_say_what_is_wrong(void **state)
{
    struct control_request request;
    struct reason reason;

    (void)state;
    for (size_t i = 0; i < LENGTH(bad_requests); i++) {
        const struct bad_request *row = &bad_requests[i];
        assert_false(control_request_decode(slice_text(row->line), &request, &reason));
        assert_memory_equal(reason.text, row->reason, strlen(row->reason));
        assert_int_equal(request.has_id ? (int64_t)request.id : -1, row->id);
    }
}

static void longest_name_fits(void **state)
{
    struct control_request request;
    struct reason reason;

    (void)state;
    assert_true(control_request_decode(
        slice_text("{\"id\":4,\"verb\":\"down\",\"name\":\"" NAME_63 "\"}"), &request, &reason));
    assert_string_equal(request.name.text, NAME_63);
}

/* --- Answers --- */

static void answers_are_golden(void **state)
{
    static const struct {
        struct control_answer answer;
        const char *golden;
    } rows[] = {
        {{.has_id = true, .id = 3, .done = true, .text = ""}, "{\"id\":3,\"done\":true}\n"},
        {{.has_id = true, .id = 3, .done = true, .text = "db is up"},
         "{\"id\":3,\"done\":true,\"text\":\"db is up\"}\n"},
        {{.has_id = true, .id = 0, .code = CONTROL_UNKNOWN_NAME, .text = "no"},
         "{\"id\":0,\"done\":false,\"code\":\"unknown-name\",\"error\":\"no\"}\n"},
        {{.code = CONTROL_BAD_REQUEST, .text = "not JSON"},
         "{\"id\":null,\"done\":false,\"code\":\"bad-request\",\"error\":\"not JSON\"}\n"},
    };
    struct control_answer back;
    struct reason reason;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char *line = control_answer_encode(&rows[i].answer);
        assert_string_equal(line, rows[i].golden);
        assert_true(control_answer_decode(slice_text(line), &back, &reason));
        assert_int_equal(back.item, CONTROL_LAST);
        assert_int_equal(back.has_id, rows[i].answer.has_id);
        assert_int_equal(back.id, rows[i].answer.id);
        assert_int_equal(back.done, rows[i].answer.done);
        assert_int_equal(back.code, rows[i].answer.code);
        assert_string_equal(back.text, rows[i].answer.text);
        control_answer_free(&back);
        free(line);
    }
}

static void items_keep_their_kind_and_body(void **state)
{
    static const char *const golden[] = {
        [CONTROL_ITEM_CONNECTION] = "{\"id\":9,\"connection\":{\"a\":1}}\n",
        [CONTROL_ITEM_SA] = "{\"id\":9,\"sa\":{\"a\":1}}\n",
        [CONTROL_ITEM_POLICY] = "{\"id\":9,\"policy\":{\"a\":1}}\n",
        [CONTROL_ITEM_COUNTERS] = "{\"id\":9,\"counters\":{\"a\":1}}\n",
        [CONTROL_ITEM_EVENT] = "{\"id\":9,\"event\":{\"a\":1}}\n",
        [CONTROL_ITEM_PROGRESS] = "{\"id\":9,\"progress\":{\"a\":1}}\n",
        [CONTROL_ITEM_CONFIG] = "{\"id\":9,\"config\":{\"a\":1}}\n",
    };
    json_t *body = json_pack("{s:i}", "a", 1);
    struct control_answer back;
    struct reason reason;

    (void)state;
    for (size_t i = CONTROL_ITEM_CONNECTION; i < LENGTH(golden); i++) {
        struct control_answer answer = {
            .has_id = true, .id = 9, .item = (enum control_item)i, .body = body};
        char *line = control_answer_encode(&answer);
        assert_string_equal(line, golden[i]);
        assert_true(control_answer_decode(slice_text(line), &back, &reason));
        assert_int_equal(back.item, i);
        assert_int_equal(item_number(back.body, "a"), 1);
        control_answer_free(&back);
        free(line);
    }
    json_decref(body);
}

static void bad_answers_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"", "not JSON at column 0: "},
        {"[1]", "an array; expected an object"},
        {"{\"id\":\"1\",\"done\":true}", "\"id\": a string; expected a whole number"},
        {"{\"id\":1,\"done\":1}", "\"done\": a number; expected true or false"},
        {"{\"id\":1,\"sa\":[]}", "\"sa\": an array; expected an object"},
        {"{\"id\":1,\"what\":{}}", "an answer with neither \"done\" nor a known item"},
        /* What a terminal would obey. */
        {"{\"id\":1,\"done\":true,\"text\":\"\\u001b]0;x\\u0007\"}",
         "an answer with unprintable octets"},
        {"{\"id\":1,\"sa\":{\"local\":[{\"\\u007f\":1}]}}", "an answer with unprintable octets"},
        {"{\"id\":1,\"sa\":{\"local\":[\"\xc2\x9b\"]}}", "an answer with unprintable octets"},
    };
    struct control_answer answer;
    struct reason reason;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        assert_false(control_answer_decode(slice_text(rows[i][0]), &answer, &reason));
        assert_memory_equal(reason.text, rows[i][1], strlen(rows[i][1]));
        control_answer_free(&answer);
    }
}

static void unknown_code_is_a_failure(void **state)
{
    struct control_answer answer;
    struct reason reason;

    (void)state;
    assert_true(control_answer_decode(
        slice_text("{\"id\":1,\"done\":false,\"code\":\"new\",\"more\":1}"), &answer, &reason));
    assert_false(answer.done);
    assert_int_equal(answer.code, CONTROL_FAILED);
    assert_string_equal(answer.text, "");
    control_answer_free(&answer);
}

/* --- Items --- */

static void assert_json(json_t *item, const char *golden)
{
    char *text = json_dumps(item, JSON_COMPACT);

    assert_non_null(text);
    assert_string_equal(text, golden);
    free(text);
    json_decref(item);
}

static struct address address_of(const char *text, uint16_t port)
{
    struct address address;

    assert_true(address_parse(&address, text));
    address.port = port;
    return address;
}

static struct selector host_of(const char *text)
{
    struct address address = address_of(text, 0);

    return selector_host(&address);
}

static void sa_item_is_golden(void **state)
{
    const struct selector local[] = {host_of("10.1.0.1"), host_of("2001:db8::1")};
    const struct selector remote = host_of("10.2.0.1");
    const struct connection another = {.name = "log"};
    const struct selector configured = host_of("10.1.0.9");
    const struct child_config config = {
        .connection = &another, .local_count = 1, .local = &configured, .remote_count = 0};
    struct child_view child = {
        .name = "lan",
        .number = 5,
        .spi_in = 0xc0ffee,
        .spi_out = 0xfedcba98,
        .reqid = 16385,
        .protocol = IPSEC_ESP,
        .mode = CHILD_TUNNEL,
        .suite = {.encr = ENCR_AES128_CBC, .integ = INTEG_HMAC_SHA1_96},
        .local = local,
        .local_count = 2,
        .remote = &remote,
        .remote_count = 1,
        .config = &config,
        .age_ms = 61000,
    };
    struct sa_view view = {
        .number = 1,
        .spi_i = 0x0123456789abcdef,
        .spi_r = 0xfedc,
        .initiator = true,
        .connection = "db",
        .state = "established",
        .local = address_of("192.0.2.1", 500),
        .remote = address_of("192.0.2.2", 4500),
        .local_id = "192.0.2.1",
        .remote_id = "gw\x1b[2J\xff",
        .suite = {.encr = ENCR_AES256_GCM16, .prf = PRF_HMAC_SHA384, .group = GROUP_X25519},
        .age_ms = 62000,
        .established_ms = 61500,
        .heard_ms = 1500,
        .nat_remote = true,
        .encap = true,
        .fragmentation = true,
        .children = &child,
        .child_count = 1,
    };

    (void)state;
    assert_json(control_item_sa(&view),
                "{\"number\":1,\"connection\":\"db\",\"state\":\"established\",\"initiator\":true,"
                "\"local\":\"192.0.2.1\",\"local_port\":500,\"remote\":\"192.0.2.2\","
                "\"remote_port\":4500,\"local_id\":\"192.0.2.1\",\"remote_id\":\"gw?[2J?\","
                "\"spi_i\":\"0123456789abcdef\",\"spi_r\":\"000000000000fedc\","
                "\"suite\":\"aes256gcm16-prfsha384-x25519\",\"weak\":[],\"age_ms\":62000,"
                "\"established_ms\":61500,\"heard_ms\":1500,\"nat_local\":false,"
                "\"nat_remote\":true,\"esp_in_udp\":true,\"mobike\":false,"
                "\"fragmentation\":true,"
                "\"children\":[{\"name\":\"lan\",\"connection\":\"log\",\"number\":5,"
                "\"protocol\":\"esp\",\"mode\":\"tunnel\",\"reqid\":16385,\"spi_in\":\"00c0ffee\","
                "\"spi_out\":\"fedcba98\",\"suite\":\"aes128-sha1\",\"weak\":[\"sha1\"],"
                "\"local\":[\"10.1.0.1/32\",\"2001:db8::1/128\"],\"remote\":[\"10.2.0.1/32\"],"
                "\"age_ms\":61000}]}");
    child.narrowed = true;
    view.silent_ms = 1500;
    json_t *item = control_item_sa(&view);
    assert_int_equal(item_number(item, "silent_ms"), 1500);
    char *text = json_dumps(json_array_get(json_object_get(item, "children"), 0), JSON_COMPACT);
    assert_non_null(strstr(text, ",\"configured_local\":[\"10.1.0.9/32\"],"
                                 "\"configured_remote\":[],\"age_ms\":61000}"));
    free(text);
    json_decref(item);
}

static void half_open_sa_has_no_suite(void **state)
{
    const struct sa_view view = {
        .number = 2,
        .connection = "",
        .state = "await-auth",
        .local = address_of("2001:db8::1", 500),
        .remote = address_of("2001:db8::2", 500),
        .local_id = "",
        .remote_id = "",
    };
    json_t *item = control_item_sa(&view);

    (void)state;
    assert_string_equal(item_text(item, "suite"), "");
    assert_string_equal(item_text(item, "connection"), "");
    assert_int_equal(item_count(item, "children"), 0);
    assert_int_equal(item_count(item, "weak"), 0);
    json_decref(item);
}

static void configured(struct connection *connection, struct child_config *child)
{
    *connection = (struct connection){.name = "db", .local = address_of("192.0.2.1", 0)};
    *child = (struct child_config){.name = "lan",
                                   .reqid = 7,
                                   .policy = POLICY_PREFER,
                                   .start = START_IMMEDIATE,
                                   .mode = CHILD_TRANSPORT};
    static struct selector local;
    static struct identity local_id;
    static const struct identity any;
    local = host_of("192.0.2.1");
    child->local = &local;
    child->local_count = 1;
    local_id = identity_of_address(&connection->local);
    connection->local_id = &local_id;
    connection->remote_id = &any;
    TAILQ_INIT(&connection->children);
    TAILQ_INSERT_TAIL(&connection->children, child, entry);
}

static void connection_item_is_golden(void **state)
{
    struct connection connection;
    struct child_config child;
    struct connection_view view = {.connection = &connection, .state = "down", .last_error = ""};

    (void)state;
    configured(&connection, &child);
    assert_json(control_item_connection(&view),
                "{\"name\":\"db\",\"state\":\"down\",\"local\":\"192.0.2.1\",\"remote\":\"any\","
                "\"local_id\":\"192.0.2.1\",\"remote_id\":\"any\",\"children\":[\"lan\"],"
                "\"sas\":0,\"weak_allowed\":false}");
    connection.weak = true;
    view.sa_count = 2;
    view.last_error = "no answer";
    view.last_error_age_ms = 5000;
    view.uncovered = "child lan does not cover it";
    assert_json(control_item_connection(&view),
                "{\"name\":\"db\",\"state\":\"down\",\"local\":\"192.0.2.1\",\"remote\":\"any\","
                "\"local_id\":\"192.0.2.1\",\"remote_id\":\"any\",\"children\":[\"lan\"],"
                "\"sas\":2,\"weak_allowed\":true,"
                "\"uncovered\":\"child lan does not cover it\",\"error\":\"no answer\","
                "\"error_age_ms\":5000}");
}

static void policy_item_is_golden(void **state)
{
    struct connection connection;
    struct child_config child;

    (void)state;
    configured(&connection, &child);
    assert_json(control_item_policy(&connection, &child),
                "{\"connection\":\"db\",\"child\":\"lan\",\"reqid\":7,\"stands\":\"with-sas\","
                "\"mode\":\"transport\",\"local\":[\"192.0.2.1/32\"],\"remote\":[],"
                "\"policy\":\"prefer\",\"start\":\"immediate\"}");
    const struct selector remote = host_of("192.0.2.2");
    child.remote = &remote;
    child.remote_count = 1;
    assert_json(control_item_policy(&connection, &child),
                "{\"connection\":\"db\",\"child\":\"lan\",\"reqid\":7,\"mode\":\"transport\","
                "\"local\":[\"192.0.2.1/32\"],\"remote\":[\"192.0.2.2/32\"],"
                "\"policy\":\"prefer\",\"start\":\"immediate\"}");
}

static void event_item_is_golden(void **state)
{
    struct effect_report report = {
        .severity = SEVERITY_WARNING, .event = "auth-failed", .text = "wrong \"secret\"\n"};

    (void)state;
    assert_json(control_item_event(&report, 1700000000123),
                "{\"time_ms\":1700000000123,\"severity\":\"warning\",\"event\":\"auth-failed\","
                "\"connection\":\"\",\"text\":\"wrong \\\"secret\\\"?\"}");
    report.remote = address_of("192.0.2.2", 500);
    report.ike_spi_i = 1;
    strcpy(report.connection.text, "db");
    assert_json(control_item_event(&report, UINT64_MAX),
                "{\"time_ms\":9223372036854775807,\"severity\":\"warning\","
                "\"event\":\"auth-failed\",\"connection\":\"db\",\"remote\":\"192.0.2.2\","
                "\"spi_i\":\"0000000000000001\",\"spi_r\":\"0000000000000000\","
                "\"text\":\"wrong \\\"secret\\\"?\"}");
}

/* Members of the wrong kind read as if they were absent. */
static void reading_an_item_takes_what_comes(void **state)
{
    json_t *item = json_loads("{\"text\":5,\"number\":\"5\",\"low\":-3,\"flag\":1,\"array\":{},"
                              "\"texts\":[1,\"b\"],\"objects\":[{\"a\":\"b\"}]}",
                              0, NULL);

    (void)state;
    assert_string_equal(item_text(item, "text"), "");
    assert_string_equal(item_text(item, "absent"), "");
    assert_int_equal(item_number(item, "number"), 0);
    assert_int_equal(item_number(item, "low"), 0);
    assert_false(item_flag(item, "flag"));
    assert_int_equal(item_count(item, "array"), 0);
    assert_int_equal(item_count(item, "texts"), 2);
    assert_string_equal(item_text_at(item, "texts", 0), "");
    assert_string_equal(item_text_at(item, "texts", 1), "b");
    assert_string_equal(item_text_at(item, "texts", 2), "");
    assert_string_equal(item_text(item_at(item, "objects", 0), "a"), "b");
    assert_string_equal(item_text(item_at(item, "objects", 1), "a"), "");
    json_decref(item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_in_all_pieces),
        cmocka_unit_test(line_left_over_is_counted),
        cmocka_unit_test(greeting_is_golden),
        cmocka_unit_test(greeting_of_another_kind_is_refused),
        cmocka_unit_test(requests_are_golden),
        cmocka_unit_test(bad_requests_say_what_is_wrong),
        cmocka_unit_test(longest_name_fits),
        cmocka_unit_test(answers_are_golden),
        cmocka_unit_test(items_keep_their_kind_and_body),
        cmocka_unit_test(bad_answers_are_refused),
        cmocka_unit_test(unknown_code_is_a_failure),
        cmocka_unit_test(sa_item_is_golden),
        cmocka_unit_test(half_open_sa_has_no_suite),
        cmocka_unit_test(connection_item_is_golden),
        cmocka_unit_test(policy_item_is_golden),
        cmocka_unit_test(event_item_is_golden),
        cmocka_unit_test(reading_an_item_takes_what_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
