/*
 * The operator's files: iked.conf, conf.d beside it, secrets.conf; read, checked and parsed.
 *
 * The configuration's text is kept because the negotiator gets it, too; secrets are parsed at once
 * and their text is wiped.
 * Not here: what the text means (lib/policy).
 */
#ifndef IKED_KEEPER_FILES_H
#define IKED_KEEPER_FILES_H

#include "lib/policy/config.h"
#include "lib/policy/loss.h"
#include "lib/policy/secrets.h"

#define FILES_SIZE_MAX  (32u << 20) /* of all together */
#define FILES_ERROR_MAX CONFIG_ERROR_MAX

struct files {
    struct config_text *texts; /* owned, with paths and octets */
    size_t count;
    size_t size;
};

struct loaded {
    struct files files;
    struct config *config;
    struct secrets *secrets; /* NULL: there is no secrets.conf */
};

/* Reads and parses all that belongs to `path`.  False with one line in `error`; nothing is owned
 * then. */
MUST_USE bool files_load(const char *path, struct loaded *loaded, char error[FILES_ERROR_MAX]);

/* The same beside what is loaded already: where the texts are the same, `again` has no files and no
 * configuration, but secrets. */
MUST_USE bool files_load_again(const char *path, const struct loaded *loaded, struct loaded *again,
                               char error[FILES_ERROR_MAX]);

/* The same without secrets. */
MUST_USE bool files_load_config(const char *path, struct loaded *loaded,
                                char error[FILES_ERROR_MAX]);

/* The same of files that have a fault: what can be read, and of that what is right
 * (config_salvage).  False when that is nothing. */
MUST_USE bool files_salvage(const char *path, struct loaded *loaded);

/* Adds a text, which moves in.  False when memory is out. */
MUST_USE bool files_add(struct files *files, const char *path, struct secret *text);

/* Logs a warning for each connection that has no secret in what was loaded from `path`. */
void files_warn(const char *path, const struct loaded *loaded);

/* Logs a warning for each child whose traffic passes in the clear until its peer has come. */
void files_warn_unheld(const struct loaded *loaded);

/* Harmless on an empty one, or where parts were taken out. */
void loaded_free(struct loaded *loaded);

#endif
