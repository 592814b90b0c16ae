/*
 * The operator's files: see files.h.
 */
#include "iked/keeper/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iked/process/ipc.h"
#include "iked/process/log.h"

#define SUFFIX ".conf"

static bool fault(char error[FILES_ERROR_MAX], const char *path, const char *what)
{
    snprintf(error, FILES_ERROR_MAX, "%.384s: %s", path, what);
    return false;
}

/* Reads up to `max` octets of an open file into a new block, wiped by whoever frees it. */
static bool read_all(int fd, const char *path, size_t max, struct secret *text,
                     char error[FILES_ERROR_MAX])
{
    struct stat status;
    size_t at = 0;

    if (fstat(fd, &status) != 0)
        return fault(error, path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fault(error, path, "not a regular file");
    if (status.st_size < 0 || (uint64_t)status.st_size > max)
        return fault(error, path, "too large; expected at most 32 MiB in all files together");
    if (!secret_new(text, (size_t)status.st_size))
        return fault(error, path, "out of memory");
    while (at < text->size) {
        ssize_t size = read(fd, text->data + at, text->size - at);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return fault(error, path, strerror(errno));
        if (size == 0)
            break;
        at += (size_t)size;
    }
    text->size = at;
    return true;
}

/* --- Configuration --- */

static void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free((void *)(uintptr_t)files->texts[i].path);
        free((void *)(uintptr_t)files->texts[i].text.data);
    }
    free(files->texts);
    *files = (struct files){0};
}

bool files_add(struct files *files, const char *path, struct secret *text)
{
    struct config_text *texts = reallocarray(files->texts, files->count + 1, sizeof(*files->texts));

    if (texts == NULL)
        return false;
    files->texts = texts;
    char *copy = strdup(path);
    if (copy == NULL)
        return false;
    texts[files->count++] = (struct config_text){.path = copy, .text = secret_slice(text)};
    files->size += text->size;
    *text = (struct secret){0};
    return true;
}

static bool file_read(struct files *files, const char *path, char error[FILES_ERROR_MAX])
{
    SECRET_AUTO text = {0};

    if (files->count == IPC_FILES_MAX)
        return fault(error, path, "one file too many");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fault(error, path, strerror(errno));
    bool done = read_all(fd, path, FILES_SIZE_MAX - files->size, &text, error);
    close(fd);
    if (done && !files_add(files, path, &text))
        return fault(error, path, "out of memory");
    return done;
}

static int is_configuration(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return entry->d_name[0] != '.' && size > strlen(SUFFIX) &&
           strcmp(entry->d_name + size - strlen(SUFFIX), SUFFIX) == 0;
}

/* By octets, not by locale: the order must be the same for every caller. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool beside(const char *path, const char *name, char beside_path[IPC_PATH_MAX],
                   char error[FILES_ERROR_MAX])
{
    const char *slash = strrchr(path, '/');
    int directory = slash != NULL ? (int)(slash - path) + 1 : 0;

    if (snprintf(beside_path, IPC_PATH_MAX, "%.*s%s", directory, path, name) >= IPC_PATH_MAX)
        return fault(error, path, "the path is too long");
    return true;
}

/* All of conf.d in name order; a conf.d that is not there is an empty one.  `salvage`: what cannot
 * be read is passed over. */
static bool directory_read(struct files *files, const char *path, bool salvage,
                           char error[FILES_ERROR_MAX])
{
    char directory[IPC_PATH_MAX];
    char file[IPC_PATH_MAX];
    struct dirent **entries = NULL;
    bool done = true;

    if (!beside(path, "conf.d", directory, error))
        return false;
    int count = scandir(directory, &entries, is_configuration, by_name);
    if (count < 0)
        return errno == ENOENT || fault(error, directory, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (done &&
            snprintf(file, sizeof(file), "%s/%s", directory, entries[i]->d_name) >= IPC_PATH_MAX)
            done = fault(error, directory, "the path is too long");
        done = done && (file_read(files, file, error) || salvage);
        free(entries[i]);
    }
    free(entries);
    return done;
}

/* --- Secrets --- */

/* Whoever else can read or write it could have the keys, or put theirs in. */
static bool secrets_are_private(int fd, const char *path, char error[FILES_ERROR_MAX])
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return fault(error, path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fault(error, path, "not a regular file");
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return fault(error, path, "owned by another user; expected root: run \"chown root\" on it");
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return fault(error, path,
                     "others can read or write it; expected mode 0600: run \"chmod 600\" on it");
    return true;
}

static bool secrets_read(const char *path, struct loaded *loaded, char error[FILES_ERROR_MAX])
{
    SECRET_AUTO text = {0};
    char secrets_path[IPC_PATH_MAX];

    if (!beside(path, "secrets.conf", secrets_path, error))
        return false;
    int fd = open(secrets_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        log_line(SEVERITY_WARNING, "%s: there is none, so no connection can come up", secrets_path);
        return true;
    }
    if (fd < 0)
        return fault(error, secrets_path, strerror(errno));
    bool done = secrets_are_private(fd, secrets_path, error) &&
                read_all(fd, secrets_path, FILES_SIZE_MAX, &text, error);
    close(fd);
    if (!done)
        return false;
    struct config_text one = {.path = secrets_path, .text = secret_slice(&text)};
    loaded->secrets = secrets_parse(&one, 1, error);
    return loaded->secrets != NULL;
}

static bool texts_read(const char *path, struct loaded *loaded, char error[FILES_ERROR_MAX])
{
    *loaded = (struct loaded){0};
    if (strlen(path) >= IPC_PATH_MAX)
        return fault(error, path, "the path is too long");
    return file_read(&loaded->files, path, error) &&
           directory_read(&loaded->files, path, false, error);
}

static bool texts_parse(const char *path, struct loaded *loaded, char error[FILES_ERROR_MAX])
{
    loaded->config = config_parse(loaded->files.texts, loaded->files.count, error);
    return loaded->config != NULL && config_is_complete(loaded->config, path, error);
}

static bool texts_equal(const struct files *a, const struct files *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->texts[i].path, b->texts[i].path) != 0 ||
            !slice_equal(a->texts[i].text, b->texts[i].text))
            return false;
    return true;
}

/* Nothing is owned after a fault. */
static bool loaded_or_freed(struct loaded *loaded, bool good)
{
    if (!good)
        loaded_free(loaded);
    return good;
}

bool files_load_config(const char *path, struct loaded *loaded, char error[FILES_ERROR_MAX])
{
    return loaded_or_freed(loaded,
                           texts_read(path, loaded, error) && texts_parse(path, loaded, error));
}

bool files_load(const char *path, struct loaded *loaded, char error[FILES_ERROR_MAX])
{
    return loaded_or_freed(loaded, texts_read(path, loaded, error) &&
                                       texts_parse(path, loaded, error) &&
                                       secrets_read(path, loaded, error));
}

bool files_load_again(const char *path, const struct loaded *loaded, struct loaded *again,
                      char error[FILES_ERROR_MAX])
{
    bool read = texts_read(path, again, error);

    if (read && texts_equal(&again->files, &loaded->files))
        files_free(&again->files);
    else
        read = read && texts_parse(path, again, error);
    return loaded_or_freed(again, read && secrets_read(path, again, error));
}

bool files_salvage(const char *path, struct loaded *loaded)
{
    char unsaid[FILES_ERROR_MAX];

    *loaded = (struct loaded){0};
    bool read = file_read(&loaded->files, path, unsaid);
    read = directory_read(&loaded->files, path, true, unsaid) || read;
    if (read)
        loaded->config = config_salvage(loaded->files.texts, loaded->files.count);
    if (loaded->config != NULL && loaded->config->connection_count > 0)
        return true;
    loaded_free(loaded);
    return false;
}

static void on_missing(void *context, const char *line)
{
    log_line(SEVERITY_WARNING, "%s: %s", (const char *)context, line);
}

static void on_warning(void *context, const char *line)
{
    (void)context;
    log_line(SEVERITY_WARNING, "%s", line);
}

void files_warn(const char *path, const struct loaded *loaded)
{
    char secrets_path[IPC_PATH_MAX];
    char error[FILES_ERROR_MAX];

    config_shared(loaded->config, on_warning, NULL);
    files_warn_unheld(loaded);
    if (loaded->secrets != NULL && beside(path, "secrets.conf", secrets_path, error))
        secrets_missing(loaded->secrets, loaded->config, on_missing, secrets_path);
}

void files_warn_unheld(const struct loaded *loaded)
{
    config_unheld(loaded->config, on_warning, NULL);
}

void loaded_free(struct loaded *loaded)
{
    files_free(&loaded->files);
    config_free(loaded->config);
    secrets_free(loaded->secrets);
    *loaded = (struct loaded){0};
}
