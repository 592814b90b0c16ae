/*
 * What a wrong configuration is told: of its text, its groups and their keys. Proposals, selectors
 * and addresses are in policy_errors_values.c.
 */
#include "lib/policy/config.h"

#include <stdlib.h>

#include <libconfig.h>

#include "lib/policy/loss.h"
#include "test/unit/faults.h"

#define K16          "kkkkkkkkkkkkkkkk"
#define K64          K16 K16 K16 K16
#define DAEMON(more) "daemon: { " more " };"

/* --- Texts and their faults --- */

/* What stands at the top, and how things are called. */
static const struct fault names_and_groups[] = {
    {"a = 1;", "f:1: a: no such key; the nearest is \"daemon\""},
    {"conections: {};", "f:1: conections: no such key; the nearest is \"connections\""},
    {"rules: { a: {}; };", "f:1: rules: not supported by this version; expected to be left out"},
    {"secrets: ();", "f:1: secrets: secrets in a configuration; expected them in secrets.conf"},
    {"a234567890123456789012345678901234567890123456789012345678901234567890 = 1;",
     "f:1: a234567890123456789012345678901234567890123456789012345678901234...: no such key; the "
     "nearest is \"connections\""},
    {"psk = \"x\";", "f:1: psk: a secret in a configuration; expected it in secrets.conf"},
    {CONNECTION("psk = \"x\";"),
     "f:1: psk: a secret in a configuration; expected it in secrets.conf"},
    {CHILD("psk = \"x\";"), "f:1: psk: a secret in a configuration; expected it in secrets.conf"},
    {"connections: { db: { local: { address = \"192.0.2.1\"; psk = \"x\"; }; }; };",
     "f:1: psk: a secret in a configuration; expected it in secrets.conf"},
    {"connections = 1;", "f:1: connections: 1; expected a group: connections: { ... };"},
    {"connections: { db = 1; };", "f:1: db: 1; expected a group: db: { ... };"},
    {"connections: { d*b: { }; };",
     "f:1: d*b: a name with '*'; expected letters, digits, '-' and '_'"},
    {"connections: { a234567890123456789012345678901234567890123456789012345678901234: {}; };",
     "f:1: a234567890123456789012345678901234567890123456789012345678901234: a name of 64 "
     "characters; expected at most 63"},
    {"connections: { " K64 K64 K64 K64 "kkk = 1; };",
     "f:1: " K64 "...: 1; expected a group: " K64 ": { ... };"},
    {"daemon = 1;", "f:1: daemon: 1; expected a group: daemon: { ... };"},
    {"a:{ b:{ c = \"\\x1b\"; }; };", "f:1: a: no such key; the nearest is \"daemon\""},
};

/* Where it belongs is nearer than a name that looks like it. */
static const struct fault keys_of_another_group[] = {
    {CONNECTION("start = \"immediate\";"),
     "f:1: start: belongs into a child; expected it in \"children: { NAME: { ... }; };\""},
    {CONNECTION("esp = \"aes256gcm16\";"),
     "f:1: esp: belongs into a child; expected it in \"children: { NAME: { ... }; };\""},
    {CONNECTION("lan: { mode = \"tunnel\"; };"),
     "f:1: lan: a child in no children; expected it in \"children: { ... };\""},
    {CONNECTION("id = \"gw.example\";"),
     "f:1: id: belongs to one of the ends; expected it in \"local: { ... };\" or \"remote: { "
     "... };\""},
    {CHILD("proposals = \"aes256\";"),
     "f:1: proposals: belongs into the connection; expected it beside children, not in them"},
    {"connections: { db: { local = { address = \"192.0.2.1\"; reauth = \"7d\"; }; }; };",
     "f:1: reauth: belongs into the connection; expected it beside local and remote, not in them"},
    {"local = \"192.0.2.1\";",
     "f:1: local: belongs into a connection; expected it in \"connections: { NAME: { ... }; };\""},
    {"db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };",
     "f:1: db: a connection in no connections; expected it in \"connections: { ... };\""},
    {"on_exit = \"clear\";",
     "f:1: on_exit: belongs to the daemon; expected it in \"daemon: { ... };\""},
    {DAEMON("liveness = \"30s\";"),
     "f:1: liveness: belongs into a connection; expected it in \"connections: { NAME: { ... }; "
     "};\""},
};

static const struct fault settings_of_connections[] = {
    {CONNECTION("lifetme = 1;"), "f:1: lifetme: no such key; the nearest is \"lifetime\""},
    {CONNECTION("liveness = \"never\";"),
     "f:1: liveness: \"never\"; expected a time from 0 to 1d, such as \"90s\", \"15m\", "
     "\"8h\", \"2d\""},
    {CONNECTION("on_dead = \"stop\";"),
     "f:1: on_dead: \"stop\"; expected \"trap\", \"restart\" or \"clear\""},
    {CONNECTION("on_dead = \"clear\";"),
     "f:1: on_dead: \"clear\" would send what child db requires to be protected in the clear; "
     "expected \"trap\" or \"restart\", or policy = \"prefer\" in every child"},
    {CONNECTION("version = 1;"), "f:1: version: 1: not supported by this version; expected 2"},
    {CONNECTION("version = 3;"), "f:1: version: 3; expected 2"},
    {CONNECTION("version=\"2\";"), "f:1: version: \"2\"; expected 2"},
    {CONNECTION("children_max = 65;"), "f:1: children_max: 65; expected a number from 1 to 64"},
    {CONNECTION("reauth = \"5s\";"),
     "f:1: reauth: \"5s\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", \"8h\", "
     "\"2d\""},
    {CONNECTION("sas_max = 0;"), "f:1: sas_max: 0; expected a number from 1 to 10000"},
    {CONNECTION("lifetime = 0;"),
     "f:1: lifetime: 0; expected a time from 1m to 365d, such as \"90s\", \"15m\", \"8h\", "
     "\"2d\""},
    {CONNECTION("lifetime = \"59s\";"),
     "f:1: lifetime: \"59s\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
     "\"8h\", \"2d\""},
    {CONNECTION("lifetime = \"8x\";"),
     "f:1: lifetime: \"8x\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
     "\"8h\", \"2d\""},
    {CONNECTION("lifetime = -5;"),
     "f:1: lifetime: -5; expected a time from 1m to 365d, such as \"90s\", \"15m\", \"8h\", "
     "\"2d\""},
    {CONNECTION("lifetime = \"400d\";"),
     "f:1: lifetime: \"400d\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
     "\"8h\", \"2d\""},
    {CONNECTION("lifetime = 1.5;"),
     "f:1: lifetime: 1.5; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
     "\"8h\", \"2d\""},
    {CONNECTION("lifetime=\"99999999999999999999s\";"),
     "f:1: lifetime: \"99999999999999999999s\"; expected a time from 1m to 365d, such as "
     "\"90s\", \"15m\", \"8h\", \"2d\""},
    {CONNECTION("mobike = true;"),
     "f:1: mobike: true, and child db is in transport mode; expected false, or mode = \"tunnel\""},
    {CONNECTION("mobike = 1;"), "f:1: mobike: 1; expected true or false"},
    {CONNECTION("childless = \"force\";"), "f:1: childless: \"force\"; expected true or false"},
    {CONNECTION("encapsulate = 1;"), "f:1: encapsulate: 1; expected true or false"},
    {CONNECTION("keepalive = \"1s\";"),
     "f:1: keepalive: \"1s\"; expected a time from 5s to 1h, such as \"90s\", \"15m\", \"8h\", "
     "\"2d\""},
    {CONNECTION("fragmentation = \"yes\";"), "f:1: fragmentation: \"yes\"; expected true or false"},
    {CONNECTION("fragment_size = 575;"),
     "f:1: fragment_size: 575; expected a number from 576 to 65535"},
    {CONNECTION("fragment_size = 65536;"),
     "f:1: fragment_size: 65536; expected a number from 576 to 65535"},
    {CONNECTION("weak = 1;"), "f:1: weak: 1; expected true or false"},
    {CONNECTION("LIFETIME = 1;"), "f:1: LIFETIME: no such key; the nearest is \"lifetime\""},
    {CONNECTION("lifetime = \"18446744073709551736s\";"),
     "f:1: lifetime: \"18446744073709551736s\"; expected a time from 1m to 365d, such as "
     "\"90s\", \"15m\", \"8h\", \"2d\""},
};

static const struct fault settings_of_children[] = {
    {CONNECTION("children: {};"), "f:1: children: 0 of them; expected 1 to 64, or no such key"},
    {CONNECTION("children = 4;"), "f:1: children: 4; expected a group: children: { ... };"},
    {CONNECTION("children: { c = 5; };"), "f:1: c: 5; expected a group: c: { ... };"},
    {CHILD("mdoe = \"tunnel\";"), "f:1: mdoe: no such key; the nearest is \"mode\""},
    {CHILD("mode = \"tunel\";"), "f:1: mode: \"tunel\"; expected \"transport\" or \"tunnel\""},
    {CHILD("mode = 5;"), "f:1: mode: 5; expected \"transport\" or \"tunnel\""},
    {CHILD("start = \"sometimes\";"),
     "f:1: start: \"sometimes\"; expected \"traffic\", \"immediate\" or \"never\""},
    {CHILD("policy = \"bypass\";"), "f:1: policy: \"bypass\"; expected \"require\" or \"prefer\""},
    {CHILD("mode = \"tunnel\"; policy = \"prefer\";"),
     "f:1: policy: \"prefer\" in tunnel mode; expected \"require\", or mode = \"transport\""},
    {CHILD("ah = [ \"sha256\" ];"),
     "f:1: ah: not supported by this version; expected to be left out"},
    {CHILD("ipcomp = true;"),
     "f:1: ipcomp: not supported by this version; expected to be left out"},
    {CHILD("offload = \"auto\";"),
     "f:1: offload: not supported by this version; expected to be left out"},
    {CHILD("replay_window = 5000;"), "f:1: replay_window: 5000; expected a number from 0 to 4096"},
    {CHILD("replay_window = 0; esp = \"aes256gcm16-esn\";"),
     "f:1: replay_window: 0 with \"esn\" in esp; expected at least 1, or \"noesn\""},
    {CHILD("bytes = \"64Q\";"),
     "f:1: bytes: \"64Q\"; expected a size from 1 up, such as \"512M\", \"64G\""},
    {CHILD("bytes = 0;"), "f:1: bytes: 0; expected a size from 1 up, such as \"512M\", \"64G\""},
    {CHILD("packets = 5000000000;"),
     "f:1: 5000000000: does not fit 32 bits; expected an L behind it: 5000000000L"},
    {CHILD("packets = \"5\";"), "f:1: packets: \"5\"; expected a number from 1 up"},
    {CHILD("lifetime = \"10s\";"),
     "f:1: lifetime: \"10s\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
     "\"8h\", \"2d\""},
};

static const struct fault settings_of_daemon[] = {
    {DAEMON("half_open_max = 0;"), "f:1: half_open_max: 0; expected a number from 1 to 10000000"},
    {DAEMON("source_half_open_max = 0;"),
     "f:1: source_half_open_max: 0; expected a number from 1 to 10000000"},
    {DAEMON("source_cookie_threshold = 0;"),
     "f:1: source_cookie_threshold: 0; expected a number from 1 to 10000000"},
    {DAEMON("half_open_lifetime = \"2h\";"),
     "f:1: half_open_lifetime: \"2h\"; expected a time from 1s to 1h, such as \"90s\", "
     "\"15m\", \"8h\", \"2d\""},
    {DAEMON("retransmit = \"1ms\";"),
     "f:1: retransmit: \"1ms\"; expected a time from 10ms to 1m, such as \"500ms\", \"1s\""},
    {DAEMON("retransmit = \"1s\"; retransmit_ms = 5;"),
     "f:1: retransmit_ms: stands beside retransmit; expected one of them"},
    {DAEMON("retransmit_tries = 31;"), "f:1: retransmit_tries: 31; expected a number from 1 to 30"},
    {DAEMON("on_exit = \"kep\";"), "f:1: on_exit: \"kep\"; expected \"keep\" or \"clear\""},
    {DAEMON("on_failure = \"opne\";"),
     "f:1: on_failure: \"opne\"; expected \"closed\" or \"open\""},
    {DAEMON("oops = 1;"), "f:1: oops: no such key; the nearest is \"on_exit\""},
};

static const struct fault syntax[] = {
    {DAEMON("") "\n" DAEMON(""),
     "f:2: duplicate setting name at \"daemon: {  };\"; expected each name once in its group"},
    {"a = 1;\na = 2;",
     "f:2: duplicate setting name at \"a = 2;\"; expected each name once in its group"},
    {"a = [ \"b\", 5 ];", "f:1: mismatched element type in array at \"a = [ \"b\", 5 ];\"; "
                          "expected values of one kind within [ ]"},
    {"@include \"/etc/passwd\"", "f:1: @include: not supported; expected files in conf.d instead"},
    {"\n  @include \"x\"", "f:2: @include: not supported; expected files in conf.d instead"},
    {"\n\na = 99999999999;",
     "f:3: 99999999999: does not fit 32 bits; expected an L behind it: 99999999999L"},
    {"a = 2147483648;",
     "f:1: 2147483648: does not fit 32 bits; expected an L behind it: 2147483648L"},
    {"a = 0x1ffffffff;",
     "f:1: 0x1ffffffff: does not fit 32 bits; expected an L behind it: 0x1ffffffffL"},
    {"a = \"99999999999\"; # 99999999999\nb1 = 1; /* 99999999999 */",
     "f:1: a: no such key; the nearest is \"daemon\""},
};

#define QUOTE_EXPECTED "no second '\"' in this line; expected the value between two"

/* What people forget, told where they forgot it. */
static const struct fault quotes[] = {
    {"x = \"abc", "f:1: x: " QUOTE_EXPECTED},
    {"x = \"", "f:1: x: " QUOTE_EXPECTED},
    {"db: {\n local = \"192.0.2.1;\n remote = \"192.0.2.2\";\n};", "f:2: local: " QUOTE_EXPECTED},
    {"db: {\n local = \"192.0.2.1; remote = \"192.0.2.2\";\n};", "f:2: local: " QUOTE_EXPECTED},
    {"db: {\n local = \"gw1;\n remote = \"gw2\";\n};", "f:2: local: " QUOTE_EXPECTED},
    {"db: {\n local = \"gw1; # \"one\"\n remote = \"gw2\";\n};", "f:2: local: " QUOTE_EXPECTED},
    {"db: {\n a = [ \"b\", \"c, \"d\" ];\n};", "f:2: a: " QUOTE_EXPECTED},
    {"n = 5\";\ns = \"t\";", "f:1: n: " QUOTE_EXPECTED},
    {"s = \"a\\\"b\"; # 19\"\nt = ;", "f:2: t: ';' where a value should stand; expected one"},
    {"db: { local = \"192.0.2.1\"; remote = \"192.0.2.2; };\n", "f:1: remote: " QUOTE_EXPECTED},
    {"db: { a = [ \"b\", \"c ]; };\nx = 1;", "f:1: a: " QUOTE_EXPECTED},
    {"db: { local = 192.0.2.1\"; };",
     "f:1: local: 192.0.2.1 without double quotes; expected \"192.0.2.1\""},
    {"db: { local = 2001:db8::1; };",
     "f:1: local: 2001:db8::1 without double quotes; expected \"2001:db8::1\""},
    {"db: { mode = tunnel };", "f:1: mode: tunnel without double quotes; expected \"tunnel\""},
    {"db: { id = 'gw' };", "f:1: id: 'gw' without double quotes; expected \"gw\""},
    {"db: { mobike = no };", "f:1: mobike: no; expected false"},
    {"db: { weak = yes };", "f:1: weak: yes; expected true"},
    {"db: { liveness = 30s };", "f:1: liveness: 30s without double quotes; expected \"30s\""},
};

/* Since libconfig 1.7 a comma may stand there. */
#if LIBCONFIG_VER_MAJOR > 1 || LIBCONFIG_VER_MINOR >= 7
#define COMMA_BEFORE(bracket) "f:1: a: no such key; the nearest is \"daemon\""
#else
#define COMMA_BEFORE(bracket) \
    "f:1: a: a ',' before the '" bracket "'; expected a value between them, or no ','"
#endif

static const struct fault brackets[] = {
    {"connections: {\n  db: {\n    a = 1;\n};\n",
     "f:2: db: the '{' of this line is not closed; expected '}'"},
    {"connections: {\n  db: {\n    a = 1;\n\n  web: {\n    a = 1;\n  };\n};\n",
     "f:2: db: the '{' of this line is not closed; expected '}'"},
    {"connections:\n{\n  db:\n  {\n    a = 1;\n  };\ndaemon: {};\n",
     "f:2: connections: the '{' of this line is not closed; expected '}'"},
    {"connections: {\ndb: {\n",
     "f:1: connections: the '{' of this line is not closed; expected '}'"},
    {"a: { b: {", "f:1: b: the '{' of this line is not closed; expected '}'"},
    {"a: { b: { }; };\n};", "f:2: a '}' too many; expected one for each that opens"},
    {"a = [ \"b\" );", "f:1: a: ')'; expected ']' for the '[' of line 1"},
    {"a = [ \"b\", \"c\";\nd = 1;", "f:1: a: ';'; expected ',' or ']'"},
    {"a = [\n  \"b\",\n", "f:1: a: the '[' of this line is not closed; expected ']'"},
    {"a = [ \"b\", ];", COMMA_BEFORE("]")},
    {"a = [ { b = 1; } ];", "f:1: a: '{' within [ ]; expected ( ) around groups"},
    {"a = ( 1, );", COMMA_BEFORE(")")},
    {"a: {\n/* b: 5;\n};\n", "f:2: the comment that begins here is not ended; expected \"*/\""},
    {"((((",
     "f:1: '(' where a name should stand; expected \"name = value;\" or \"name: { ... };\""},
};

static const struct fault signs[] = {
    {"db { };", "f:1: db: '{' behind the name; expected '=' or ':'"},
    {"connections: {\n  db: { local = \"192.0.2.1\" remote };\n};",
     "f:2: remote: '}' behind the name; expected '=' or ':'"},
    {"a \"b\";", "f:1: a: a string behind the name; expected '=' or ':'"},
    {"a == 5;", "f:1: a: '=' where a value should stand; expected one"},
    {"a = 5;;",
     "f:1: ';' where a name should stand; expected \"name = value;\" or \"name: { ... };\""},
    {"a =", "f:1: a: the end of the file where a value should stand; expected one"},
    {"5a = 1;", "f:1: \"5a\" where a name should stand; expected a letter first"},
    {"a.b = 1;", "f:1: \"a.b\" where a name should stand; expected letters, digits, '-' and '_'"},
};

/* All that libconfig takes, so that no fault is seen in it before one that is there. */
static const struct fault odd_but_right[] = {
    {"a=1 b:2,c=\"d\"\"e\" \"f\"; g=(1,[2,3],{h=0x1FL i=-1.5e3}) j=[] k=() l={} m=TRUE n = +.5;\n"
     "s = \"two\nlines\"; u = \"v\"; // \"\n/* \" */ o =",
     "f:4: o: the end of the file where a value should stand; expected one"},
};

/* --- The tests --- */

static void faults_in_names_and_groups(void **state)
{
    (void)state;
    walk_faults(names_and_groups, sizeof(names_and_groups) / sizeof(names_and_groups[0]));
}

static void faults_in_keys_of_another_group(void **state)
{
    (void)state;
    walk_faults(keys_of_another_group,
                sizeof(keys_of_another_group) / sizeof(keys_of_another_group[0]));
}

static void faults_in_settings_of_connections(void **state)
{
    (void)state;
    walk_faults(settings_of_connections,
                sizeof(settings_of_connections) / sizeof(settings_of_connections[0]));
}

static void faults_in_settings_of_children(void **state)
{
    (void)state;
    walk_faults(settings_of_children,
                sizeof(settings_of_children) / sizeof(settings_of_children[0]));
}

static void faults_in_settings_of_daemon(void **state)
{
    (void)state;
    walk_faults(settings_of_daemon, sizeof(settings_of_daemon) / sizeof(settings_of_daemon[0]));
}

static void faults_in_syntax(void **state)
{
    (void)state;
    walk_faults(syntax, sizeof(syntax) / sizeof(syntax[0]));
    walk_faults(quotes, sizeof(quotes) / sizeof(quotes[0]));
    walk_faults(brackets, sizeof(brackets) / sizeof(brackets[0]));
    walk_faults(signs, sizeof(signs) / sizeof(signs[0]));
    walk_faults(odd_but_right, sizeof(odd_but_right) / sizeof(odd_but_right[0]));
}

/* libconfig gives a string the line of the token behind it: here the comma's. */
static void the_line_is_that_of_the_culprit(void **state)
{
    (void)state;
    assert_error(slice_text("connections:\n{\n  db:\n  {\n    local = \"192.0.2.1\";\n"
                            "    remote = \"192.0.2.2\";\n    proposals = [\n"
                            "      \"aes256gcm16-prfsha384-x25519\",\n      \"aes257\",\n"
                            "      \"aes256gcm16-prfsha384-ecp256\"\n    ];\n"
                            "  };\n};\n"),
                 "f:9: proposals: \"aes257\": no such algorithm; the nearest is \"aes256\"");
}

static void a_nul_is_no_text(void **state)
{
    (void)state;
    assert_error(slice_of("daemon: {};\n\0rest", 17), "f:2: a NUL octet; expected text");
}

/* The parser's stack ends, ours does not overflow. */
static void depth_is_a_fault_and_no_crash(void **state)
{
    struct slice deep = bytes_fill('(', 1000000);
    uint8_t *text = malloc(deep.size);

    (void)state;
    assert_non_null(text);
    memcpy(text, deep.data, deep.size);
    memcpy(text, "a=", 2);
    struct config_text file = {"f", slice_of(text, deep.size)};
    char error[CONFIG_ERROR_MAX];
    assert_null(config_parse(&file, 1, error));
    assert_memory_equal(error, "f:1: ", 5);
    free(text);
}

/* Whatever stood there, it is one printable line that fits. */
static void long_values_are_cut(void **state)
{
    char text[6000] = "connections: { db: { local = \"192.0.2.1\"; remote = \"";
    size_t used = strlen(text);
    char error[CONFIG_ERROR_MAX];

    (void)state;
    memset(text + used, 'x', 5000);
    strcpy(text + used + 5000, "\"; }; };");
    struct config_text file = {"f", slice_text(text)};
    assert_null(config_parse(&file, 1, error));
    assert_string_equal(
        error, "f:1: remote: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxxxxxxx...\"; expected an "
               "address such as \"192.0.2.1\" or \"2001:db8::1\", a host's name, or \"any\" "
               "alone");
}

static void numbers_in_strings_and_comments_are_nobody_s(void **state)
{
    (void)state;
    config_free(policy_config("/* 99999999999\n \" */ # 99999999999 \"\n// 99999999999\n"
                              "daemon: { on_exit = \"ke\" \"ep\"; };"));
    assert_error(slice_text("daemon: { on_exit = \"\\\"99999999999\"; };"),
                 "f:1: on_exit: \"\"99999999999\"; expected \"keep\" or \"clear\"");
    assert_error(slice_text("daemon: { on_exit = \"a\nb\";\n half_open_max = 99999999999; };"),
                 "f:3: 99999999999: does not fit 32 bits; expected an L behind it: 99999999999L");
    assert_error(slice_text("daemon: { n99999999999 = 99999999999L; };"),
                 "f:1: n99999999999: no such key; the nearest is \"retransmit\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_in_names_and_groups),
        cmocka_unit_test(faults_in_keys_of_another_group),
        cmocka_unit_test(faults_in_settings_of_connections),
        cmocka_unit_test(faults_in_settings_of_children),
        cmocka_unit_test(faults_in_settings_of_daemon),
        cmocka_unit_test(faults_in_syntax),
        cmocka_unit_test(the_line_is_that_of_the_culprit),
        cmocka_unit_test(a_nul_is_no_text),
        cmocka_unit_test(depth_is_a_fault_and_no_crash),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(numbers_in_strings_and_comments_are_nobody_s),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
