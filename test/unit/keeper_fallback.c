/*
 * What an iked that cannot run leaves behind (iked/keeper/fallback.h), and the configuration that
 * is kept for it (saved.h).
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iked/keeper/fallback.h"
#include "iked/keeper/saved.h"
#include "test/unit/keeper.h"

#define ONE "connections: { one: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"
#define TWO "connections: { two: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; }; };\n"

static char directory[64];
static char main_path[96];
static char state_dir[96];
static struct options options;
static char error[FILES_ERROR_MAX];

static const char *path_of(const char *name)
{
    static char path[192];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static int set_up_files(void **state)
{
    strcpy(directory, "/tmp/iked_fallback.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(main_path, sizeof(main_path), "%s/iked.conf", directory);
    snprintf(state_dir, sizeof(state_dir), "%s/state", directory);
    options = (struct options){.file = main_path, .state_dir = state_dir};
    assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
    put("iked.conf", ONE);
    return set_up(state);
}

static int tear_down_files(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return tear_down(state) | system(command);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_files, tear_down_files)

/* --- What is kept --- */

static void save(void)
{
    struct loaded loaded;

    if (!files_load_config(main_path, &loaded, error) ||
        !saved_write(state_dir, main_path, &loaded.files, error))
        fail_msg("%s", error);
    loaded_free(&loaded);
}

/* The only file in the state directory. */
static const char *saved_file(void)
{
    static char path[192];
    char *at = path + snprintf(path, sizeof(path), "%s/", state_dir);

    snprintf(at, sizeof(path) - (size_t)(at - path), "%s", main_path + 1);
    for (; *at != '\0'; at++)
        if (*at == '/')
            *at = '-';
    return path;
}

static void all_files_are_kept_as_they_are(void **state)
{
    struct loaded loaded;
    struct stat status;
    (void)state;

    put("conf.d/10-a.conf", TWO "daemon: { };");
    put("conf.d/20-b.conf", "");
    save();
    assert_int_equal(stat(saved_file(), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(stat(state_dir, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    put("iked.conf", "nonsense");
    assert_true(saved_read(state_dir, main_path, &loaded));
    assert_int_equal(loaded.files.count, 3);
    assert_slices(loaded.files.texts[0].text, slice_text(ONE));
    assert_slices(loaded.files.texts[1].text, slice_text(TWO "daemon: { };"));
    assert_int_equal(loaded.files.texts[2].text.size, 0);
    assert_string_equal(loaded.files.texts[1].path, path_of("conf.d/10-a.conf"));
    assert_non_null(config_find(loaded.config, "one"));
    assert_non_null(config_find(loaded.config, "two"));
    loaded_free(&loaded);
    /* The next one takes its place. */
    put("iked.conf", TWO);
    assert_int_equal(unlink(path_of("conf.d/10-a.conf")), 0);
    save();
    assert_true(saved_read(state_dir, main_path, &loaded));
    assert_null(config_find(loaded.config, "one"));
    loaded_free(&loaded);
}

static void what_is_not_whole_is_not_taken(void **state)
{
    struct loaded loaded;
    struct stat status;
    (void)state;

    assert_false(saved_read(state_dir, main_path, &loaded));
    save();
    assert_int_equal(stat(saved_file(), &status), 0);
    for (off_t size = status.st_size - 1; size >= 0; size -= 7) {
        assert_int_equal(truncate(saved_file(), size), 0);
        assert_false(saved_read(state_dir, main_path, &loaded));
    }
    save();
    assert_int_equal(chmod(saved_file(), 0602), 0);
    assert_false(saved_read(state_dir, main_path, &loaded));
    assert_int_equal(chmod(saved_file(), 0600), 0);
    assert_true(saved_read(state_dir, main_path, &loaded));
    loaded_free(&loaded);
}

/* A name of a file may be any but "." and "..". */
static void files_of_any_name_are_kept(void **state)
{
    struct loaded loaded;
    (void)state;

    put("conf.d/a\n7\nb.conf", TWO);
    save();
    assert_true(saved_read(state_dir, main_path, &loaded));
    assert_int_equal(loaded.files.count, 2);
    assert_string_equal(loaded.files.texts[1].path, path_of("conf.d/a\n7\nb.conf"));
    assert_non_null(config_find(loaded.config, "two"));
    loaded_free(&loaded);
}

static void save_as(const char *name, const char *text)
{
    struct files files = {0};
    SECRET_AUTO octets = {0};

    assert_true(secret_copy(&octets, slice_text(text)));
    assert_true(files_add(&files, path_of(name), &octets));
    if (!saved_write(state_dir, path_of(name), &files, error))
        fail_msg("%s", error);
    struct loaded loaded = {.files = files};
    loaded_free(&loaded);
}

/* Each iked has its own. */
static void no_two_paths_have_one_place(void **state)
{
    static const char *const names[] = {"a-b.conf", "a/b.conf", "a%2db.conf", "a%b.conf"};
    struct loaded loaded;
    char text[128];
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof(text),
                 "connections: { n%zu: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };", i);
        save_as(names[i], text);
    }
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "n%zu", i);
        assert_true(saved_read(state_dir, path_of(names[i]), &loaded));
        assert_non_null(config_find(loaded.config, text));
        loaded_free(&loaded);
    }
}

/* Nor is it read from there. */
static void a_place_where_others_write_is_refused(void **state)
{
    struct loaded loaded;
    (void)state;

    save();
    assert_int_equal(chmod(state_dir, 0770), 0);
    assert_false(saved_read(state_dir, main_path, &loaded));
    assert_true(files_load_config(main_path, &loaded, error));
    assert_false(saved_write(state_dir, main_path, &loaded.files, error));
    assert_non_null(strstr(error, "others can write here"));
    assert_int_equal(chmod(state_dir, 0700), 0);
    assert_true(saved_write(state_dir, main_path, &loaded.files, error));
    loaded_free(&loaded);
}

static void what_cannot_be_kept_is_told(void **state)
{
    struct loaded loaded;
    (void)state;

    put("state", "a file");
    assert_true(files_load_config(main_path, &loaded, error));
    assert_false(saved_write(state_dir, main_path, &loaded.files, error));
    assert_non_null(strstr(error, "Not a directory"));
    loaded_free(&loaded);
}

/* --- Whose word it is --- */

static void assert_found(enum fallback expected, const char *connection)
{
    struct loaded loaded;

    assert_int_equal(fallback_find(&options, &loaded), expected);
    if (connection == NULL)
        return;
    assert_int_equal(loaded.config->connection_count, 1);
    assert_non_null(config_find(loaded.config, connection));
    loaded_free(&loaded);
}

static void good_files_come_first(void **state)
{
    (void)state;
    save();
    put("iked.conf", TWO);
    assert_found(FALLBACK_FILES, "two");
    put("iked.conf", TWO "oops");
    assert_found(FALLBACK_SAVED, "one");
    put("iked.conf", ""); /* which is no configuration at all */
    assert_found(FALLBACK_SAVED, "one");
    assert_int_equal(unlink(main_path), 0);
    assert_found(FALLBACK_SAVED, "one");
}

/* At the first start ever. */
static void else_what_can_be_read_counts(void **state)
{
    (void)state;
    put("iked.conf", "connections: { bad: { local = \"192.0.2.1\"; remotte = \"192.0.2.9\"; };\n"
                     "one: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"
                     "daemon: { oops = 1; };");
    assert_found(FALLBACK_PART, "one");
    put("iked.conf", ONE "}");
    put("conf.d/10-a.conf", TWO);
    assert_found(FALLBACK_PART, "two");
    assert_int_equal(unlink(main_path), 0);
    assert_found(FALLBACK_PART, "two");
    put("conf.d/10-a.conf", "oops");
    assert_found(FALLBACK_NOTHING, NULL);
    options.state_dir = NULL;
    assert_found(FALLBACK_NOTHING, NULL);
}

static void the_wish_for_an_open_host_is_read(void **state)
{
    struct loaded loaded;
    (void)state;

    put("iked.conf", ONE "daemon: { on_failure = \"open\"; oops = 1; };");
    assert_int_equal(fallback_find(&options, &loaded), FALLBACK_PART);
    assert_true(loaded.config->daemon.open_on_failure);
    loaded_free(&loaded);
    put("iked.conf", ONE "daemon: { on_failure = \"opne\"; };");
    assert_int_equal(fallback_find(&options, &loaded), FALLBACK_PART);
    assert_false(loaded.config->daemon.open_on_failure);
    loaded_free(&loaded);
}

/* --- What is done --- */

/* db's piece is in the kernel, out and in, as of an earlier iked. */
static void leave_db(enum child_policy policy)
{
    struct effect db = policy_for(EFFECT_INSTALL_POLICY, "db", "db");
    struct piece pieces[PIECES_MAX];
    size_t count;

    assert_int_equal(
        pieces_of(&db.policy.local_selector, &db.policy.remote_selector, pieces, &count, NULL),
        STATUS_OK);
    toy.piece_count = 2;
    toy.pieces[0] = (struct kernel_piece){.piece = pieces[0],
                                          .template = {.reqid = REQID_DYNAMIC + 1,
                                                       .mode = CHILD_TRANSPORT,
                                                       .policy = (uint8_t)policy}};
    toy.pieces[1] = toy.pieces[0];
    toy.pieces[1].direction = KERNEL_IN;
}

static void what_is_missing_is_installed_and_nothing_removed(void **state)
{
    struct kernel kernel = toy.kernel;
    (void)state;

    leave_db(POLICY_REQUIRE);
    toy.piece_count = 3;
    toy.pieces[2] = toy.pieces[0]; /* of somebody's that is not configured here */
    toy.pieces[2].piece.remote[3] = 77;
    toy.sa_count = 1;
    toy.sas[0] = (struct kernel_sa){.source = policy_address("192.0.2.2"),
                                    .destination = policy_address("192.0.2.1"),
                                    .spi = 0xbbbb,
                                    .reqid = REQID_DYNAMIC + 1,
                                    .protocol = IPSEC_ESP};
    assert_int_equal(fallback_protect(&kernel, config), 4);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 5); /* six's and those of net */
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 1);
    assert_int_equal(toy.job_count, 6);
}

/* What an earlier iked let out in the clear where there was no SA, or one direction of it. */
static void what_lets_pass_is_not_spared(void **state)
{
    struct kernel kernel = toy.kernel;
    (void)state;

    leave_db(POLICY_PREFER);
    assert_int_equal(fallback_protect(&kernel, config), 4);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 6);
    forget_jobs();
    kernel = toy.kernel;
    leave_db(POLICY_REQUIRE);
    toy.pieces[0] = toy.pieces[1];
    toy.piece_count = 1;
    assert_int_equal(fallback_protect(&kernel, config), 4);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(all_files_are_kept_as_they_are),
        FILES_TEST(what_is_not_whole_is_not_taken),
        FILES_TEST(files_of_any_name_are_kept),
        FILES_TEST(no_two_paths_have_one_place),
        FILES_TEST(a_place_where_others_write_is_refused),
        FILES_TEST(what_cannot_be_kept_is_told),
        FILES_TEST(good_files_come_first),
        FILES_TEST(else_what_can_be_read_counts),
        FILES_TEST(the_wish_for_an_open_host_is_read),
        FILES_TEST(what_is_missing_is_installed_and_nothing_removed),
        FILES_TEST(what_lets_pass_is_not_spared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
