/*
 * The operator's files (iked/keeper/files.h): which are read, in which order, and who may read
 * them, too.
 */
#include "iked/keeper/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iked/process/log.h"
#include "test/unit/policy.h"

#define ONE     "connections: { one: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"
#define TWO     "connections: { two: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; }; };\n"
#define SECRETS "secrets: ( { psk = \"open sesame\"; } );\n"

static char directory[] = "/tmp/iked-files.XXXXXX";
static char main_path[64];
static char warned[256];
static char error[FILES_ERROR_MAX];

static void on_log(void *context, enum severity severity, const char *text)
{
    (void)context;
    if (severity >= SEVERITY_WARNING)
        snprintf(warned, sizeof(warned), "%s", text);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(directory, "/tmp/iked-files.XXXXXX", sizeof(directory));
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(main_path, sizeof(main_path), "%s/iked.conf", directory);
    warned[0] = error[0] = '\0';
    log_divert(on_log, NULL);
    put("iked.conf", ONE, 0644);
    put("secrets.conf", SECRETS, 0600);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

static void assert_refused(const char *said)
{
    struct loaded loaded;

    assert_false(files_load(main_path, &loaded, error));
    assert_null(loaded.config);
    if (strstr(error, said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error, said);
    if (strstr(error, directory) != error)
        fail_msg("\"%s\" does not begin with the file", error);
}

static void one_file_is_enough(void **state)
{
    struct loaded loaded;
    struct slice psk;
    struct identity any = policy_identity("192.0.2.1");
    (void)state;

    assert_true(files_load(main_path, &loaded, error));
    assert_int_equal(loaded.files.count, 1);
    assert_slices(loaded.files.texts[0].text, slice_text(ONE));
    assert_non_null(config_find(loaded.config, "one"));
    assert_true(secrets_find(loaded.secrets, &any, &any, &psk));
    assert_slices(psk, slice_text("open sesame"));
    assert_string_equal(warned, "");
    loaded_free(&loaded);
}

static void conf_d_is_read_in_order(void **state)
{
    static const char *const expected[] = {"iked.conf", "conf.d/05-b.conf", "conf.d/10-a.conf",
                                           "conf.d/9-c.conf"};
    struct loaded loaded;
    (void)state;

    assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
    put("conf.d/9-c.conf", "", 0644);
    put("conf.d/10-a.conf", TWO, 0644);
    put("conf.d/05-b.conf", "# nothing\n", 0644);
    put("conf.d/.hidden.conf", "not a configuration", 0644);
    put("conf.d/readme.txt", "not a configuration", 0644);
    put("conf.d/.conf", "not a configuration", 0644);
    assert_true(files_load(main_path, &loaded, error));
    assert_int_equal(loaded.files.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(loaded.files.texts[i].path, path_of(expected[i]));
    assert_int_equal(loaded.config->connection_count, 2);
    loaded_free(&loaded);
    put("conf.d/10-a.conf", "connections: { two: { lokal = \"x\"; }; };\n", 0644);
    assert_refused("conf.d/10-a.conf:1: ");
}

static void faults_name_the_file(void **state)
{
    (void)state;
    put("iked.conf", ONE "oops\n", 0644);
    assert_refused("iked.conf:3: ");
    assert_int_equal(unlink(path_of("iked.conf")), 0);
    assert_refused("iked.conf: No such file or directory");
    assert_int_equal(mkdir(path_of("iked.conf"), 0755), 0);
    assert_refused("iked.conf: not a regular file");
}

/* One that says so has no connections; one that was emptied has a fault. */
static void emptied_files_are_a_fault(void **state)
{
    static const char *const emptied[] = {"", "\n", "# all gone\n", "daemon: { };\n"};
    struct loaded loaded;
    (void)state;

    for (size_t i = 0; i < sizeof(emptied) / sizeof(emptied[0]); i++) {
        put("iked.conf", emptied[i], 0644);
        assert_refused("iked.conf: no connections; expected");
    }
    put("iked.conf", "connections: { };\n", 0644);
    assert_true(files_load(main_path, &loaded, error));
    loaded_free(&loaded);
    /* They may stand elsewhere. */
    put("iked.conf", "", 0644);
    assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
    put("conf.d/10-a.conf", TWO, 0644);
    assert_true(files_load(main_path, &loaded, error));
    loaded_free(&loaded);
}

static void secrets_are_for_one_alone(void **state)
{
    static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0777};
    struct loaded loaded;
    (void)state;

    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        put("secrets.conf", SECRETS, open_modes[i]);
        assert_refused("secrets.conf: others can read or write it; expected mode 0600");
    }
    put("secrets.conf", SECRETS, 0400);
    assert_true(files_load(main_path, &loaded, error));
    loaded_free(&loaded);
    if (geteuid() == 0) {
        assert_int_equal(chown(path_of("secrets.conf"), 65534, 0), 0);
        assert_refused("secrets.conf: owned by another user");
    }
}

static void secrets_are_a_file_or_absent(void **state)
{
    struct loaded loaded;
    (void)state;

    assert_int_equal(unlink(path_of("secrets.conf")), 0);
    assert_true(files_load(main_path, &loaded, error));
    assert_null(loaded.secrets);
    assert_non_null(strstr(warned, "secrets.conf: there is none"));
    loaded_free(&loaded);
    assert_int_equal(mkfifo(path_of("secrets.conf"), 0600), 0); /* would block whoever opens it */
    assert_refused("secrets.conf: not a regular file");
    assert_int_equal(unlink(path_of("secrets.conf")), 0);
    put("secrets.conf", "secrets: ( { psk = \"tell nobody\" \n", 0600);
    assert_refused("secrets.conf:");
    assert_null(strstr(error, "tell nobody"));
}

/* What was loaded is looked at octet by octet; secrets are read anew in any case. */
static void the_same_texts_are_not_parsed_again(void **state)
{
    struct loaded loaded;
    struct loaded again;
    (void)state;

    assert_true(files_load(main_path, &loaded, error));
    put("secrets.conf", "secrets: ( { psk = \"another\"; } );\n", 0600);
    assert_true(files_load_again(main_path, &loaded, &again, error));
    assert_null(again.config);
    assert_int_equal(again.files.count, 0);
    assert_non_null(again.secrets);
    assert_false(secrets_equal(again.secrets, loaded.secrets));
    loaded_free(&again);

    put("iked.conf", TWO, 0644);
    assert_true(files_load_again(main_path, &loaded, &again, error));
    assert_non_null(config_find(again.config, "two"));
    assert_int_equal(again.files.count, 1);
    loaded_free(&loaded);

    /* One more file is another configuration, and what has a fault is none. */
    assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
    put("conf.d/b.conf", "# nothing\n", 0644);
    assert_true(files_load_again(main_path, &again, &loaded, error));
    assert_int_equal(loaded.files.count, 2);
    assert_non_null(loaded.config);
    loaded_free(&loaded);
    put("conf.d/b.conf", "conections: { };\n", 0644);
    assert_false(files_load_again(main_path, &again, &loaded, error));
    assert_null(loaded.config);
    loaded_free(&again);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_file_is_enough),
        TEST(conf_d_is_read_in_order),
        TEST(faults_name_the_file),
        TEST(secrets_are_for_one_alone),
        TEST(secrets_are_a_file_or_absent),
        TEST(emptied_files_are_a_fault),
        TEST(the_same_texts_are_not_parsed_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
