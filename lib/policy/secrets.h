/*
 * Pre-shared keys: the text of secrets.conf and the choice of one.  Keeper only.
 *
 * Not here: reading the file and checking who may read it (iked/keeper).
 */
#ifndef LIB_POLICY_SECRETS_H
#define LIB_POLICY_SECRETS_H

#include "lib/base/secret.h"
#include "lib/policy/config.h"
#include "lib/policy/loss.h"

struct secrets;

/* `secrets: ( { ids = [ "a", "b" ]; psk = "..."; } );`  psk may be "0x..." hex or "0s..." base64.
 * An empty or absent `ids` matches every pair.  NULL with one line in `error`, which never holds a
 * secret. */
struct secrets *secrets_parse(const struct config_text *texts, size_t count,
                              char error[CONFIG_ERROR_MAX]);
void secrets_free(struct secrets *secrets);

/* The best match for the pair: both ids named, then one, then none; within a rank the first in
 * the file.  False when there is none.  Borrowed until secrets_free. */
bool secrets_find(const struct secrets *secrets, const struct identity *local,
                  const struct identity *remote, struct slice *psk);

/* The same keys for the same identities, in the same order?  NULL is none at all. */
bool secrets_equal(const struct secrets *a, const struct secrets *b);

/* Calls `each` with one line for every connection that cannot come up because there is no secret
 * for it.  That is no fault: it may get one later. */
void secrets_missing(const struct secrets *secrets, const struct config *config,
                     void (*each)(void *context, const char *line), void *context);

#endif
