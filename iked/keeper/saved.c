/*
 * The last good configuration on disk: see saved.h.
 *
 *   iked saved configuration 2\n
 *   SIZE SIZE\n PATH OCTETS\n        for each file: how long its path and its text are
 */
#include "iked/keeper/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iked/process/ipc.h"

#define MAGIC "iked saved configuration 2"

static bool fault(char error[FILES_ERROR_MAX], const char *path, int number)
{
    snprintf(error, FILES_ERROR_MAX, "%.384s: %s", path, strerror(number));
    return false;
}

/* "etc/iked/iked.conf" becomes "etc-iked-iked.conf"; no two paths become the same. */
static bool name_write(const char *path, char name[NAME_MAX + 1])
{
    size_t size = 0;

    for (; *path != '\0' && size + 3 < NAME_MAX - sizeof(".new"); path++) {
        if (*path == '-' || *path == '%')
            size += (size_t)sprintf(name + size, "%%%02x", (unsigned)*path);
        else
            name[size++] = *path == '/' ? '-' : *path;
    }
    name[size] = '\0';
    return *path == '\0';
}

/* "/etc/iked/iked.conf" in "/var/lib/iked": "/var/lib/iked/etc-iked-iked.conf". */
static bool saved_path(const char *dir, const char *path, char to[PATH_MAX])
{
    char absolute[PATH_MAX];
    char directory[PATH_MAX] = "";
    char name[NAME_MAX + 1];

    if (path[0] != '/' && getcwd(directory, sizeof(directory)) == NULL)
        return false;
    if (snprintf(absolute, sizeof(absolute), "%s/%s", directory, path) >= (int)sizeof(absolute))
        return false;
    return name_write(absolute + strspn(absolute, "/"), name) &&
           snprintf(to, PATH_MAX, "%s/%s", dir, name) < PATH_MAX - (int)sizeof(".new");
}

/* Who could write here could put another configuration in place of ours. */
static bool others_write(const char *dir)
{
    struct stat status;

    return stat(dir, &status) == 0 && S_ISDIR(status.st_mode) &&
           ((status.st_uid != 0 && status.st_uid != geteuid()) ||
            (status.st_mode & (S_IWGRP | S_IWOTH)) != 0);
}

static bool texts_write(FILE *file, const struct files *files)
{
    fprintf(file, "%s\n", MAGIC);
    for (size_t i = 0; i < files->count; i++) {
        const struct config_text *text = &files->texts[i];
        fprintf(file, "%zu %zu\n%s", strlen(text->path), text->text.size, text->path);
        if (text->text.size > 0)
            fwrite(text->text.data, 1, text->text.size, file);
        fputc('\n', file);
    }
    return fflush(file) == 0 && ferror(file) == 0 && fsync(fileno(file)) == 0;
}

bool saved_write(const char *dir, const char *path, const struct files *files,
                 char error[FILES_ERROR_MAX])
{
    char place[PATH_MAX];
    char fresh[PATH_MAX + sizeof(".new")];

    if (!saved_path(dir, path, place))
        return fault(error, path, ENAMETOOLONG);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fault(error, dir, errno);
    if (others_write(dir)) {
        snprintf(error, FILES_ERROR_MAX,
                 "%.256s: others can write here; expected a directory of root's own", dir);
        return false;
    }
    snprintf(fresh, sizeof(fresh), "%s.new", place);
    if (unlink(fresh) != 0 && errno != ENOENT)
        return fault(error, fresh, errno);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return fault(error, fresh, errno);
    bool written = texts_write(file, files);
    int number = errno;
    if (fclose(file) != 0 || !written || rename(fresh, place) != 0)
        return fault(error, place, written ? errno : number);
    return true;
}

/* --- Reading --- */

/* What others can write could be anything. */
static FILE *saved_open(const char *place)
{
    struct stat status;
    int fd = open(place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_uid == 0 || status.st_uid == geteuid()) &&
        (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return fdopen(fd, "r");
    close(fd);
    return NULL;
}

static bool line_read(FILE *file, char *line, size_t size)
{
    if (fgets(line, (int)size, file) == NULL || line[strcspn(line, "\n")] == '\0')
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* SIZE, and what follows it. */
static bool size_read(const char *text, char **end, size_t most, size_t *size)
{
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long long read = strtoull(text, end, 10);
    *size = (size_t)read;
    return read <= most;
}

static bool text_read(FILE *file, struct files *files, const char *sizes)
{
    SECRET_AUTO text = {0};
    char path[IPC_PATH_MAX];
    size_t path_size;
    size_t size;
    char *end;

    if (!size_read(sizes, &end, sizeof(path) - 1, &path_size) || *end++ != ' ' ||
        !size_read(end, &end, FILES_SIZE_MAX - files->size, &size) || *end != '\0' ||
        files->count == IPC_FILES_MAX || !secret_new(&text, size) ||
        fread(path, 1, path_size, file) != path_size)
        return false;
    path[path_size] = '\0';
    return fread(text.data, 1, text.size, file) == text.size && fgetc(file) == '\n' &&
           files_add(files, path, &text);
}

static bool texts_read(FILE *file, struct files *files)
{
    char line[64];

    if (!line_read(file, line, sizeof(line)) || strcmp(line, MAGIC) != 0)
        return false;
    while (line_read(file, line, sizeof(line)))
        if (!text_read(file, files, line))
            return false;
    return feof(file) && files->count > 0;
}

bool saved_read(const char *dir, const char *path, struct loaded *loaded)
{
    char unsaid[FILES_ERROR_MAX];
    char place[PATH_MAX];
    FILE *file = !others_write(dir) && saved_path(dir, path, place) ? saved_open(place) : NULL;

    *loaded = (struct loaded){0};
    if (file == NULL)
        return false;
    /* Another file's may have the same name there. */
    if (texts_read(file, &loaded->files) && strcmp(loaded->files.texts[0].path, path) == 0)
        loaded->config = config_parse(loaded->files.texts, loaded->files.count, unsaid);
    fclose(file);
    if (loaded->config != NULL)
        return true;
    loaded_free(loaded);
    return false;
}
