/*
 * The last configuration that was in use, kept on disk: what is to be blocked when the files have a
 * fault at the next start (fallback.h).
 *
 * A file of root's per configuration file, written whole and put in place at once: the texts as
 * they were, without secrets.
 */
#ifndef IKED_KEEPER_SAVED_H
#define IKED_KEEPER_SAVED_H

#include "iked/keeper/files.h"

/* `dir` is made where it is missing.  False with a line in `error`. */
MUST_USE bool saved_write(const char *dir, const char *path, const struct files *files,
                          char error[FILES_ERROR_MAX]);

/* False where there is none that can be used. */
MUST_USE bool saved_read(const char *dir, const char *path, struct loaded *loaded);

#endif
