/*
 * `ikectl check` on files in a folder of its own, and `iked -n` beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ikectl/ikectl.h"

#define DB     "connections: { db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"
#define WEB    "connections: { web: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; }; };\n"
#define SECRET "secrets: ( { psk = \"correct horse battery staple\"; } );\n"

struct folder {
    char path[40];
    char file[64];
    char *out;
    char *err;
};

static int setup(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    char conf_d[64];

    strcpy(folder->path, "/tmp/iked-check-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(conf_d, sizeof(conf_d), "%s/conf.d", folder->path);
    assert_int_equal(mkdir(conf_d, 0700), 0);
    *state = folder;
    return 0;
}

static const char *file_of(struct folder *folder, const char *name)
{
    snprintf(folder->file, sizeof(folder->file), "%s/%s", folder->path, name);
    return folder->file;
}

static void put(struct folder *folder, const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(file_of(folder, name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(folder->file, mode), 0);
}

static int teardown(void **state)
{
    static const char *const names[] = {"iked.conf",        "secrets.conf",   "conf.d/10-b.conf",
                                        "conf.d/20-a.conf", "conf.d/.x.conf", "conf.d/notes.txt",
                                        "conf.d/out.txt"};
    struct folder *folder = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(file_of(folder, names[i]));
    rmdir(file_of(folder, "conf.d"));
    rmdir(folder->path);
    free(folder->out);
    free(folder->err);
    free(folder);
    return 0;
}

static enum exit_status check(struct folder *folder, const char *name, bool json)
{
    char path[64];
    char *argv[] = {(char *)"ikectl", (char *)"check", path, json ? (char *)"--json" : NULL, NULL};
    size_t out_size;
    size_t err_size;
    struct ikectl ctl = {.fd = -1, .socket = "/nowhere"};

    strcpy(path, file_of(folder, name));
    free(folder->out);
    free(folder->err);
    ctl.out = open_memstream(&folder->out, &out_size);
    ctl.err = open_memstream(&folder->err, &err_size);
    enum exit_status status = ikectl_run(&ctl, json ? 4 : 3, argv);
    fclose(ctl.out);
    fclose(ctl.err);
    return status;
}

/* `text` with every "@" replaced by the folder's path. */
static void assert_said(const struct folder *folder, const char *said, const char *text)
{
    char *expected = NULL;
    size_t size;
    FILE *file = open_memstream(&expected, &size);

    for (; *text != '\0'; text++) {
        if (*text == '@')
            fputs(folder->path, file);
        else
            fputc(*text, file);
    }
    fclose(file);
    assert_string_equal(said, expected);
    free(expected);
}

static void good_files_are_counted(void **state)
{
    struct folder *folder = *state;

    put(folder, "iked.conf", DB, 0644);
    put(folder, "secrets.conf", SECRET, 0600);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->out, "@/iked.conf: 1 connection, no fault\n");
    assert_string_equal(folder->err, "");
    put(folder, "conf.d/10-b.conf", WEB, 0644);
    assert_int_equal(check(folder, "iked.conf", true), EXIT_DONE);
    assert_said(folder, folder->out,
                "{\"done\":true,\"text\":\"@/iked.conf: 2 connections, no fault\"}\n");
}

static void faults_name_file_and_line(void **state)
{
    struct folder *folder = *state;

    put(folder, "iked.conf", "\nconnections: { db: { local = \"192.0.2.1\"; remotte = 1; }; };\n",
        0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
    assert_string_equal(folder->out, "");
    assert_said(folder, folder->err,
                "@/iked.conf:2: remotte: no such key; the nearest is \"remote\"\n");
    assert_int_equal(check(folder, "iked.conf", true), EXIT_FAILED);
    assert_string_equal(folder->err, "");
    assert_said(folder, folder->out,
                "{\"done\":false,\"error\":\"@/iked.conf:2: remotte: no such key; the nearest is "
                "\\\"remote\\\"\"}\n");
}

static void emptied_files_are_a_fault(void **state)
{
    struct folder *folder = *state;

    put(folder, "iked.conf", "", 0644);
    put(folder, "secrets.conf", SECRET, 0600);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
    assert_said(folder, folder->err,
                "@/iked.conf: no connections; expected \"connections: { NAME: { ... }; };\", or "
                "\"connections: { };\" where there are to be none\n");
    put(folder, "iked.conf", "connections: { };", 0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->out, "@/iked.conf: 0 connections, no fault\n");
}

/* The second of two files with a fault is never reached; other names are not looked at. */
static void conf_d_is_read_in_order(void **state)
{
    struct folder *folder = *state;

    put(folder, "iked.conf", DB, 0644);
    put(folder, "secrets.conf", SECRET, 0600);
    put(folder, "conf.d/notes.txt", "not a configuration", 0644);
    put(folder, "conf.d/.x.conf", "not a configuration", 0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    put(folder, "conf.d/20-a.conf", "bad\n", 0644);
    put(folder, "conf.d/10-b.conf", "worse\n", 0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
    assert_non_null(strstr(folder->err, "/conf.d/10-b.conf:"));
    put(folder, "conf.d/10-b.conf", "", 0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
    assert_non_null(strstr(folder->err, "/conf.d/20-a.conf:"));
}

static void missing_and_odd_files_are_faults(void **state)
{
    struct folder *folder = *state;

    assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
    assert_said(folder, folder->err, "@/iked.conf: No such file or directory\n");
    assert_int_equal(check(folder, "conf.d", false), EXIT_FAILED);
    assert_said(folder, folder->err, "@/conf.d: not a regular file\n");
}

static void secrets_must_be_private_and_sound(void **state)
{
    struct folder *folder = *state;

    put(folder, "iked.conf", DB, 0644);
    for (mode_t bit = 1; bit < 0100; bit <<= 1) {
        put(folder, "secrets.conf", SECRET, 0600 | bit);
        assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
        assert_said(
            folder, folder->err,
            "@/secrets.conf: others can read or write it; expected mode 0600: run \"chmod 600\" "
            "on it\n");
    }
    put(folder, "secrets.conf", "secrets: ( { pks = \"hidden thing\"; } );\n", 0600);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_FAILED);
    assert_non_null(strstr(folder->err, "/secrets.conf:1: pks: "));
    assert_null(strstr(folder->err, "hidden"));
}

/* A name says nothing until it is resolved; selectors do, and what only prefers has no promise. */
static void names_without_selectors_are_told(void **state)
{
    struct folder *folder = *state;

    put(folder, "secrets.conf", SECRET, 0600);
    put(folder, "iked.conf",
        "connections: { n: { local = \"192.0.2.1\"; remote = \"peer.example\"; }; };", 0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err,
                "warning: @/iked.conf:1: n: child n: with a name for the peer and no remote "
                "selectors nothing is protected until the name is resolved\n");
    put(folder, "iked.conf",
        "connections: { n: { local = \"192.0.2.1\"; remote = \"peer.example\"; children: { c: {"
        " policy = \"prefer\"; }; }; }; };",
        0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err, "");
    put(folder, "iked.conf",
        "connections: { n: { local = \"192.0.2.1\"; remote = \"peer.example\"; children: { c: {"
        " mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; "
        "remote = [ \"10.2.0.0/16\" ]; }; }; }; };",
        0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err, "");
}

static void connections_without_a_secret_are_named(void **state)
{
    struct folder *folder = *state;

    put(folder, "iked.conf", DB, 0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err,
                "warning: @/secrets.conf: there is none, so no connection can come up\n");
    put(folder, "secrets.conf",
        "secrets: ( { ids = [ \"192.0.2.1\", \"192.0.2.9\" ]; psk = \"x\"; } );\n", 0600);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err,
                "warning: @/secrets.conf: no psk for 192.0.2.1 and 192.0.2.2 (connection db)\n");
    assert_said(folder, folder->out, "@/iked.conf: 1 connection, no fault\n");
}

static void children_for_the_same_traffic_are_named(void **state)
{
    struct folder *folder = *state;

    put(folder, "secrets.conf", "secrets: ( { psk = \"x\"; } );\n", 0600);
    put(folder, "iked.conf",
        "connections: {\n  db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };\n"
        "  web: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: {\n"
        "    a: { }; u: { local = \"tcp\"; remote = \"tcp\"; }; }; };\n"
        "  any: { local = \"192.0.2.1\"; remote = \"any\"; };\n"
        "  all: { local = \"192.0.2.1\"; remote = \"any\"; };\n};\n",
        0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err,
                "warning: @/iked.conf:3: web: child a is for the same traffic as child db of db, "
                "which has it\n"
                "warning: @/iked.conf:2: db: child u of web lies within child db: 192.0.2.1/32 tcp "
                "=== 192.0.2.2/32 tcp goes to child u of web\n"
                "warning: @/iked.conf:6: all: no peer ever gets child all: child any of any has "
                "the same selectors, mode and identities\n"
                "warning: @/iked.conf:5: any: child any: with remote = \"any\" and no remote "
                "selectors only what its peers' SAs cover is protected, while they stand\n"
                "warning: @/iked.conf:6: all: child all: with remote = \"any\" and no remote "
                "selectors only what its peers' SAs cover is protected, while they stand\n");
    assert_said(folder, folder->out, "@/iked.conf: 4 connections, no fault\n");
}

static void children_that_lie_within_others_are_named(void **state)
{
    struct folder *folder = *state;

    put(folder, "secrets.conf", "secrets: ( { psk = \"x\"; } );\n", 0600);
    put(folder, "iked.conf",
        "connections: {\n"
        "  a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { net: { mode = "
        "\"tunnel\"; local = \"172.16.0.0/16\"; remote = \"10.0.0.0/8\"; }; }; };\n"
        "  b: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; children: { net: { mode = "
        "\"tunnel\"; local = \"172.16.0.0/16\"; remote = [ \"10.1.0.0/16\", \"10.2.0.0/16\" ]; "
        "}; }; };\n"
        "  c: { local = \"192.0.2.1\"; remote = \"192.0.2.4\"; children: { net: { mode = "
        "\"tunnel\"; local = \"172.0.0.0/8\"; remote = \"10.9.2.0/24\"; }; }; };\n};\n",
        0644);
    assert_int_equal(check(folder, "iked.conf", false), EXIT_DONE);
    assert_said(folder, folder->err,
                "warning: @/iked.conf:2: a: child net of b lies within child net: 172.16.0.0/16 "
                "=== 10.1.0.0/16 goes to child net of b, and so it is with 1 more\n"
                "warning: @/iked.conf:4: c: child net has something in common with child net of a: "
                "172.16.0.0/16 === 10.9.2.0/24 goes to child net of c\n");
}

/* --- iked -n --- */

static void read_whole(struct folder *folder, const char *name, char text[1024])
{
    FILE *file = fopen(file_of(folder, name), "r");

    assert_non_null(file);
    text[fread(text, 1, 1023, file)] = '\0';
    fclose(file);
}

static void assert_iked_says_the_same(struct folder *folder)
{
    const char *build = getenv("IKED_BUILD");
    enum exit_status status = check(folder, "iked.conf", false);
    char command[512];
    char text[1024];

    snprintf(command, sizeof(command),
             "%s/iked -n -f %s/iked.conf >%s/conf.d/out.txt 2>%s/conf.d/notes.txt",
             build != NULL ? build : "build", folder->path, folder->path, folder->path);
    assert_int_equal(WEXITSTATUS(system(command)), status);
    read_whole(folder, "conf.d/out.txt", text);
    assert_string_equal(text, folder->out);
    read_whole(folder, "conf.d/notes.txt", text);
    assert_string_equal(text, folder->err);
}

static void iked_n_says_the_same(void **state)
{
    struct folder *folder = *state;

    assert_iked_says_the_same(folder); /* no file */
    put(folder, "iked.conf", DB, 0644);
    assert_iked_says_the_same(folder); /* no secrets */
    put(folder, "secrets.conf",
        "secrets: ( { ids = [ \"192.0.2.1\", \"192.0.2.9\" ]; psk = \"x\"; } );\n", 0600);
    assert_iked_says_the_same(folder); /* none for it */
    put(folder, "secrets.conf", SECRET, 0644);
    assert_iked_says_the_same(folder); /* for all to see */
    put(folder, "secrets.conf", SECRET, 0600);
    assert_iked_says_the_same(folder);
    put(folder, "conf.d/10-b.conf", "wrong\n", 0644);
    assert_iked_says_the_same(folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(good_files_are_counted),
        TEST(faults_name_file_and_line),
        TEST(emptied_files_are_a_fault),
        TEST(conf_d_is_read_in_order),
        TEST(missing_and_odd_files_are_faults),
        TEST(secrets_must_be_private_and_sound),
        TEST(names_without_selectors_are_told),
        TEST(connections_without_a_secret_are_named),
        TEST(children_for_the_same_traffic_are_named),
        TEST(children_that_lie_within_others_are_named),
        TEST(iked_n_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
