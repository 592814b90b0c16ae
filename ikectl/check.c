/*
 * `ikectl check`: reads a configuration as iked would, and says what is wrong with it.
 *
 * FILE, then conf.d/NAME.conf beside it in name order, then secrets.conf beside it.  Needs no iked.
 * Not here: what is right and wrong in them (lib/policy).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "ikectl/ikectl.h"
#include "ikectl/table.h"
#include "lib/policy/loss.h"
#include "lib/policy/secrets.h"

#define SIZE_MAX_ALL (32u << 20) /* octets of all files together, as for iked */

/* One file that was read; any may hold what others should not see. */
struct file {
    char *path;
    struct secret text;
};

struct check {
    const struct ikectl *ctl;
    char *folder;       /* of FILE: empty, or with a slash behind it */
    struct file *files; /* of the configuration, in order */
    size_t file_count;
    size_t size; /* of all together */
    struct file secrets;
    struct config *config;
};

/* --- Faults --- */

static bool check_fault(const struct check *check, const char *line)
{
    if (check->ctl->json)
        print_outcome_json(check->ctl, false, line);
    else
        fprintf(check->ctl->err, "%s\n", line);
    return false;
}

static bool file_fault(const struct check *check, const char *path, const char *what)
{
    char *line = text_of("%s: %s", path, what);

    check_fault(check, line);
    free(line);
    return false;
}

/* --- Reading --- */

static bool read_whole(int fd, struct secret *text)
{
    size_t at = 0;

    while (at < text->size) {
        ssize_t size = read(fd, text->data + at, text->size - at);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return false;
        if (size == 0)
            break;
        at += (size_t)size;
    }
    text->size = at;
    return true;
}

/* Whoever else can read or write it could have the keys, or put theirs in. */
static const char *private_fault(const struct stat *status)
{
    if (status->st_uid != 0 && status->st_uid != geteuid())
        return "owned by another user; expected root: run \"chown root\" on it";
    if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "others can read or write it; expected mode 0600: run \"chmod 600\" on it";
    return NULL;
}

/* What is wrong with an open file, NULL when nothing is. */
static const char *file_read(int fd, bool private, size_t max, struct secret *text)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "not a regular file";
    const char *fault = private ? private_fault(&status) : NULL;
    if (fault != NULL)
        return fault;
    if ((uint64_t)status.st_size > max)
        return "too large; expected at most 32 MiB in all files together";
    if (!secret_new(text, (size_t)status.st_size))
        return "out of memory";
    return read_whole(fd, text) ? NULL : strerror(errno);
}

/* Takes `path` into file->path. */
static bool file_load(struct check *check, char *path, bool private, struct file *file)
{
    file->path = path;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *fault =
        fd < 0 ? strerror(errno) : file_read(fd, private, SIZE_MAX_ALL - check->size, &file->text);
    if (fd >= 0)
        close(fd);
    check->size += file->text.size;
    return fault == NULL || file_fault(check, path, fault);
}

/* Takes `path`. */
static bool check_add(struct check *check, char *path)
{
    struct file *files = reallocarray(check->files, check->file_count + 1, sizeof(*files));

    if (files == NULL) {
        free(path);
        return check_fault(check, "out of memory");
    }
    check->files = files;
    files[check->file_count] = (struct file){0};
    return file_load(check, path, false, &files[check->file_count++]);
}

static int is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool check_folder(struct check *check)
{
    char *folder = text_of("%sconf.d", check->folder);
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_conf, by_name);
    bool good = count >= 0 || errno == ENOENT || file_fault(check, folder, strerror(errno));

    for (int i = 0; i < count; i++) {
        good = good && check_add(check, text_of("%s/%s", folder, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return good;
}

/* --- Judging --- */

static struct config_text file_text(const struct file *file)
{
    return (struct config_text){.path = file->path, .text = secret_slice(&file->text)};
}

static bool check_config(struct check *check)
{
    struct config_text *texts = calloc(check->file_count, sizeof(*texts));
    char error[CONFIG_ERROR_MAX] = "";

    if (texts == NULL)
        return check_fault(check, "out of memory");
    for (size_t i = 0; i < check->file_count; i++)
        texts[i] = file_text(&check->files[i]);
    check->config = config_parse(texts, check->file_count, error);
    free(texts);
    return (check->config != NULL &&
            config_is_complete(check->config, check->files[0].path, error)) ||
           check_fault(check, error);
}

static void warn_missing(void *context, const char *line)
{
    const struct check *check = context;

    fprintf(check->ctl->err, "warning: %s: %s\n", check->secrets.path, line);
}

static void warn_line(void *context, const char *line)
{
    const struct check *check = context;

    fprintf(check->ctl->err, "warning: %s\n", line);
}

static bool check_secrets(struct check *check)
{
    char *path = text_of("%ssecrets.conf", check->folder);
    char error[CONFIG_ERROR_MAX] = "";

    config_shared(check->config, warn_line, check);
    config_unheld(check->config, warn_line, check);
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        fprintf(check->ctl->err, "warning: %s: there is none, so no connection can come up\n",
                path);
        free(path);
        return true;
    }
    if (!file_load(check, path, true, &check->secrets))
        return false;
    const struct config_text text = file_text(&check->secrets);
    struct secrets *secrets = secrets_parse(&text, 1, error);
    if (secrets == NULL)
        return check_fault(check, error);
    secrets_missing(secrets, check->config, warn_missing, check);
    secrets_free(secrets);
    return true;
}

static enum exit_status check_done(const struct check *check)
{
    char text[CONFIG_ERROR_MAX];

    config_verdict(check->config, check->files[0].path, text);
    if (check->ctl->json)
        return print_outcome_json(check->ctl, true, text);
    fprintf(check->ctl->out, "%s\n", text);
    return EXIT_DONE;
}

static void file_free(struct file *file)
{
    secret_free(&file->text);
    free(file->path);
}

static void check_free(struct check *check)
{
    for (size_t i = 0; i < check->file_count; i++)
        file_free(&check->files[i]);
    free(check->files);
    file_free(&check->secrets);
    free(check->folder);
    if (check->config != NULL)
        config_free(check->config);
}

enum exit_status verb_check(struct ikectl *ctl, int count, char **arguments)
{
    const char *path = count > 0 ? arguments[0] : IKED_CONFIG_DIR "/iked.conf";
    const char *slash = strrchr(path, '/');

    /* Whoever names an iked means the files of that one. */
    if (count == 0 && ctl->socket_given)
        return complain(ctl, EXIT_MISUSE,
                        "check asks no iked, so -s does not say which file; usage: ikectl check "
                        "FILE");
    struct check check = {
        .ctl = ctl,
        .folder = text_of("%.*s", slash != NULL ? (int)(slash - path) + 1 : 0, path),
    };
    bool good = check_add(&check, text_of("%s", path)) && check_folder(&check) &&
                check_config(&check) && check_secrets(&check);
    enum exit_status status = good ? check_done(&check) : EXIT_FAILED;
    check_free(&check);
    return status;
}
