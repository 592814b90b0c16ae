/*
 * The messages between iked and its clients: see message.h and iked-control(7).
 */
#include "lib/control/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/nearest.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- Tables --- */

/* The members of a request, in the order in which they are read. */
enum member {
    MEMBER_ID,
    MEMBER_VERB,
    MEMBER_WHAT,
    MEMBER_NAME,
    MEMBER_CHILD,
    MEMBER_DRY_RUN,
    MEMBER_FORCE,
};
#define BIT(member) (1u << (member))
#define ALWAYS      (BIT(MEMBER_ID) | BIT(MEMBER_VERB))

struct verb_row {
    const char *name;
    unsigned required;
    unsigned allowed; /* besides */
};

static const struct verb_row verb_rows[] = {
    [CONTROL_SHOW] = {"show", BIT(MEMBER_WHAT), BIT(MEMBER_NAME)},
    [CONTROL_UP] = {"up", BIT(MEMBER_NAME), 0},
    [CONTROL_DOWN] = {"down", BIT(MEMBER_NAME), 0},
    [CONTROL_REKEY] = {"rekey", BIT(MEMBER_NAME), BIT(MEMBER_CHILD)},
    [CONTROL_RELOAD] = {"reload", 0, BIT(MEMBER_DRY_RUN) | BIT(MEMBER_FORCE)},
    [CONTROL_MONITOR] = {"monitor", 0, 0},
};

struct what_row {
    const char *name;
    bool has_names;
};

static const struct what_row what_rows[] = {
    [CONTROL_CONNECTIONS] = {"connections", true}, [CONTROL_SAS] = {"sas", true},
    [CONTROL_POLICIES] = {"policies", true},       [CONTROL_COUNTERS] = {"counters", false},
    [CONTROL_CONFIG] = {"config", true},
};

static const char *const item_names[] = {
    [CONTROL_ITEM_CONNECTION] = "connection", [CONTROL_ITEM_SA] = "sa",
    [CONTROL_ITEM_POLICY] = "policy",         [CONTROL_ITEM_COUNTERS] = "counters",
    [CONTROL_ITEM_EVENT] = "event",           [CONTROL_ITEM_PROGRESS] = "progress",
    [CONTROL_ITEM_CONFIG] = "config",
};

static const char *const code_names[] = {
    [CONTROL_FAILED] = "failed",
    [CONTROL_BAD_REQUEST] = "bad-request",
    [CONTROL_UNKNOWN_NAME] = "unknown-name",
    [CONTROL_BUSY] = "busy",
};

bool control_what_has_names(enum control_what what)
{
    return what_rows[what].has_names;
}

bool control_what_parse(const char *text, enum control_what *what, const char **nearest)
{
    struct nearest near = nearest_to(text);

    for (size_t i = 0; i < LENGTH(what_rows); i++) {
        if (strcmp(what_rows[i].name, text) == 0) {
            *what = (enum control_what)i;
            return true;
        }
        nearest_try(&near, what_rows[i].name);
    }
    *nearest = near.best;
    return false;
}

/* --- Helpers --- */

PRINTF_LIKE(2, 3) static bool refuse(struct reason *reason, const char *format, ...)
{
    char text[REASON_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)reason_set(reason, STATUS_FAIL, 0, "%s", text);
    return false;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

/* Takes `json`; NULL in, NULL out. */
static char *line_of(json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (text == NULL)
        return NULL;
    size_t size = strlen(text);
    char *line = realloc(text, size + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    memcpy(line + size, "\n", 2);
    return line;
}

static json_t *object_of(struct slice line, struct reason *reason)
{
    json_error_t error;
    json_t *json = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        refuse(reason, "not JSON at column %d: %s", error.column, error.text);
        return NULL;
    }
    if (json_is_object(json))
        return json;
    refuse(reason, "%s; expected an object", type_name(json));
    json_decref(json);
    return NULL;
}

static bool id_read(const json_t *value, uint64_t *id, struct reason *reason)
{
    if (!json_is_integer(value))
        return refuse(reason, "\"id\": %s; expected a whole number", type_name(value));
    if (json_integer_value(value) < 0)
        return refuse(reason, "\"id\": %lld; expected 0 or more",
                      (long long)json_integer_value(value));
    *id = (uint64_t)json_integer_value(value);
    return true;
}

/* What a terminal cannot take amiss; newlines part the lines of longer texts. */
static bool text_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text != '\n' && (*text < ' ' || *text > '~'))
            return false;
    }
    return true;
}

static bool json_printable(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(json))
        return text_printable(json_string_value(json));
    json_array_foreach (json, i, value) {
        if (!json_printable(value))
            return false;
    }
    json_object_foreach (json, key, value) {
        if (!text_printable(key) || !json_printable(value))
            return false;
    }
    return true;
}

/* --- The greeting --- */

#define KERNEL_NONE "none"

char *control_greeting_encode(const struct control_greeting *greeting)
{
    return line_of(json_pack("{s:s, s:I, s:s*}", "iked", greeting->version, "protocol",
                             (json_int_t)greeting->protocol, "kernel",
                             greeting->kernel_none ? KERNEL_NONE : NULL));
}

bool control_greeting_decode(struct slice line, struct control_greeting *greeting,
                             struct reason *reason)
{
    json_auto_t *json = object_of(line, reason);

    if (json == NULL)
        return false;
    const char *version = json_string_value(json_object_get(json, "iked"));
    if (version == NULL || !text_printable(version) || strlen(version) > CONTROL_VERSION_MAX)
        return refuse(reason, "the greeting has no fitting \"iked\"; expected a version");
    if (!json_is_integer(json_object_get(json, "protocol")))
        return refuse(reason, "the greeting has no fitting \"protocol\"; expected a number");
    snprintf(greeting->version, sizeof(greeting->version), "%s", version);
    greeting->protocol = json_integer_value(json_object_get(json, "protocol"));
    const char *kernel = json_string_value(json_object_get(json, "kernel"));
    greeting->kernel_none = kernel != NULL && strcmp(kernel, KERNEL_NONE) == 0;
    return true;
}

/* --- Requests --- */

static bool read_id(const json_t *value, struct control_request *request, struct reason *reason)
{
    request->has_id = id_read(value, &request->id, reason);
    return request->has_id;
}

static bool read_verb(const json_t *value, struct control_request *request, struct reason *reason)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return refuse(reason, "\"verb\": %s; expected a string", type_name(value));
    struct nearest near = nearest_to(text);
    for (size_t i = 0; i < LENGTH(verb_rows); i++) {
        if (strcmp(verb_rows[i].name, text) == 0) {
            request->verb = (enum control_verb)i;
            return true;
        }
        nearest_try(&near, verb_rows[i].name);
    }
    return refuse(reason, "unknown verb \"%.40s\"; the nearest is \"%s\"", text, near.best);
}

static bool read_what(const json_t *value, struct control_request *request, struct reason *reason)
{
    const char *text = json_string_value(value);
    const char *nearest;

    if (text == NULL)
        return refuse(reason, "\"what\": %s; expected a string", type_name(value));
    if (control_what_parse(text, &request->what, &nearest))
        return true;
    return refuse(reason, "\"what\": \"%.40s\"; the nearest is \"%s\"", text, nearest);
}

static bool name_read(const json_t *value, const char *member, struct name *name,
                      struct reason *reason)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return refuse(reason, "\"%s\": %s; expected a string", member, type_name(value));
    if (*text == '\0' || strlen(text) > CONFIG_NAME_MAX)
        return refuse(reason, "\"%s\": %zu octets; expected 1 to %d", member, strlen(text),
                      CONFIG_NAME_MAX);
    snprintf(name->text, sizeof(name->text), "%s", text);
    return true;
}

static bool read_name(const json_t *value, struct control_request *request, struct reason *reason)
{
    return name_read(value, "name", &request->name, reason);
}

static bool read_child(const json_t *value, struct control_request *request, struct reason *reason)
{
    return name_read(value, "child", &request->child, reason);
}

static bool bool_read(const json_t *value, const char *member, bool *to, struct reason *reason)
{
    if (!json_is_boolean(value))
        return refuse(reason, "\"%s\": %s; expected true or false", member, type_name(value));
    *to = json_is_true(value);
    return true;
}

static bool read_dry_run(const json_t *value, struct control_request *request,
                         struct reason *reason)
{
    return bool_read(value, "dry_run", &request->dry_run, reason);
}

static bool read_force(const json_t *value, struct control_request *request, struct reason *reason)
{
    return bool_read(value, "force", &request->force, reason);
}

struct member_row {
    const char *name;
    bool (*read)(const json_t *value, struct control_request *request, struct reason *reason);
};

static const struct member_row member_rows[] = {
    [MEMBER_ID] = {"id", read_id},          [MEMBER_VERB] = {"verb", read_verb},
    [MEMBER_WHAT] = {"what", read_what},    [MEMBER_NAME] = {"name", read_name},
    [MEMBER_CHILD] = {"child", read_child}, [MEMBER_DRY_RUN] = {"dry_run", read_dry_run},
    [MEMBER_FORCE] = {"force", read_force},
};

static bool members_known(json_t *json, struct reason *reason)
{
    const char *key;
    json_t *value;

    json_object_foreach (json, key, value) {
        struct nearest near = nearest_to(key);
        bool known = false;
        for (size_t i = 0; i < LENGTH(member_rows); i++) {
            known = known || strcmp(member_rows[i].name, key) == 0;
            nearest_try(&near, member_rows[i].name);
        }
        if (!known)
            return refuse(reason, "unknown member \"%.40s\"; the nearest is \"%s\"", key,
                          near.best);
    }
    return true;
}

/* Are the members that stood there those that the verb takes? */
static bool members_fit(const struct control_request *request, unsigned seen, struct reason *reason)
{
    const struct verb_row *verb = &verb_rows[request->verb];

    for (size_t i = 0; i < LENGTH(member_rows); i++) {
        const char *member = member_rows[i].name;
        if (((verb->required | ALWAYS) & ~seen & BIT(i)) != 0)
            return refuse(reason, "\"%s\" is missing", member);
        if ((seen & ~(verb->required | verb->allowed | ALWAYS) & BIT(i)) != 0)
            return refuse(reason, "\"%s\" does not go with \"%s\"", member, verb->name);
    }
    if (request->verb == CONTROL_SHOW && (seen & BIT(MEMBER_NAME)) != 0 &&
        !what_rows[request->what].has_names)
        return refuse(reason, "\"name\" does not go with \"%s\"", what_rows[request->what].name);
    return true;
}

bool control_request_decode(struct slice line, struct control_request *request,
                            struct reason *reason)
{
    json_auto_t *json = object_of(line, reason);
    unsigned seen = 0;

    *request = (struct control_request){0};
    if (json == NULL)
        return false;
    for (size_t i = 0; i < LENGTH(member_rows); i++) {
        const json_t *value = json_object_get(json, member_rows[i].name);
        if (value == NULL)
            continue;
        if (!member_rows[i].read(value, request, reason))
            return false;
        seen |= BIT(i);
    }
    if (!members_known(json, reason))
        return false;
    if ((seen & BIT(MEMBER_VERB)) == 0)
        return refuse(reason, "\"verb\" is missing");
    return members_fit(request, seen, reason);
}

char *control_request_encode(const struct control_request *request)
{
    const struct verb_row *verb = &verb_rows[request->verb];
    unsigned members = verb->required | verb->allowed;
    bool has_name = (members & BIT(MEMBER_NAME)) != 0 && request->name.text[0] != '\0';
    bool has_child = (members & BIT(MEMBER_CHILD)) != 0 && request->child.text[0] != '\0';

    return line_of(json_pack(
        "{s:I, s:s, s:s*, s:s*, s:s*, s:o*, s:o*}", "id", (json_int_t)request->id, "verb",
        verb->name, "what",
        (members & BIT(MEMBER_WHAT)) != 0 ? what_rows[request->what].name : NULL, "name",
        has_name ? request->name.text : NULL, "child", has_child ? request->child.text : NULL,
        "dry_run", (members & BIT(MEMBER_DRY_RUN)) != 0 ? json_boolean(request->dry_run) : NULL,
        "force", (members & BIT(MEMBER_FORCE)) != 0 && request->force ? json_true() : NULL));
}

/* --- Answers --- */

char *control_answer_encode(const struct control_answer *answer)
{
    json_t *json = json_object();
    int failed = json_object_set_new(
        json, "id", answer->has_id ? json_integer((json_int_t)answer->id) : json_null());

    if (answer->item != CONTROL_LAST) {
        failed |= json_object_set(json, item_names[answer->item], answer->body);
    } else {
        failed |= json_object_set_new(json, "done", json_boolean(answer->done));
        if (!answer->done)
            failed |= json_object_set_new(json, "code", json_string(code_names[answer->code]));
        if (!answer->done || answer->text[0] != '\0')
            failed |= json_object_set_new(json, answer->done ? "text" : "error",
                                          json_string(answer->text));
    }
    if (failed == 0)
        return line_of(json);
    json_decref(json);
    return NULL;
}

static bool decode_item(struct control_answer *answer, struct reason *reason)
{
    for (size_t i = CONTROL_LAST + 1; i < LENGTH(item_names); i++) {
        json_t *body = json_object_get(answer->owner, item_names[i]);
        if (body == NULL)
            continue;
        if (!json_is_object(body))
            return refuse(reason, "\"%s\": %s; expected an object", item_names[i], type_name(body));
        answer->item = (enum control_item)i;
        answer->body = body;
        return true;
    }
    return refuse(reason, "an answer with neither \"done\" nor a known item");
}

static bool decode_last(struct control_answer *answer, const json_t *done, struct reason *reason)
{
    if (!json_is_boolean(done))
        return refuse(reason, "\"done\": %s; expected true or false", type_name(done));
    answer->done = json_is_true(done);
    const json_t *text = json_object_get(answer->owner, answer->done ? "text" : "error");
    const char *code = json_string_value(json_object_get(answer->owner, "code"));
    answer->text = json_is_string(text) ? json_string_value(text) : "";
    for (size_t i = 0; !answer->done && code != NULL && i < LENGTH(code_names); i++) {
        if (strcmp(code_names[i], code) == 0)
            answer->code = (enum control_code)i;
    }
    return true;
}

bool control_answer_decode(struct slice line, struct control_answer *answer, struct reason *reason)
{
    *answer = (struct control_answer){.owner = object_of(line, reason), .text = ""};
    if (answer->owner == NULL)
        return false;
    if (!json_printable(answer->owner))
        return refuse(reason, "an answer with unprintable octets");
    const json_t *id = json_object_get(answer->owner, "id");
    if (id != NULL && !json_is_null(id)) {
        if (!id_read(id, &answer->id, reason))
            return false;
        answer->has_id = true;
    }
    const json_t *done = json_object_get(answer->owner, "done");
    return done != NULL ? decode_last(answer, done, reason) : decode_item(answer, reason);
}

void control_answer_free(struct control_answer *answer)
{
    json_decref(answer->owner);
    *answer = (struct control_answer){.text = ""};
}
