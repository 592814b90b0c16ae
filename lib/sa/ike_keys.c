/*
 * The keys of an IKE SA: see ike_keys.h.
 */
#include "lib/sa/ike_keys.h"

#include "lib/base/reader.h"
#include "lib/crypto/algorithm.h"

static size_t key_size(const struct suite *suite, enum ike_key key)
{
    const struct prf_info *prf = prf_info(suite->prf);
    const struct encr_info *encr = encr_info(suite->encr);
    const struct integ_info *integ = integ_info(suite->integ);

    switch (key) {
    case KEY_D:
    case KEY_PI:
    case KEY_PR: return prf == NULL ? 0 : prf->key_size;
    case KEY_AI:
    case KEY_AR: return integ == NULL ? 0 : integ->key_size;
    case KEY_EI:
    case KEY_ER: return encr == NULL ? 0 : encr->key_size;
    case KEY_COUNT: break;
    }
    return 0;
}

size_t ike_keys_size(const struct suite *suite, enum ike_key end)
{
    size_t size = 0;

    for (enum ike_key key = 0; key < end; key++)
        size += key_size(suite, key);
    return size;
}

struct slice ike_sa_key(const struct ike_sa *sa, enum ike_key wanted)
{
    struct reader reader = reader_of(secret_slice(&sa->keys));

    reader_skip(&reader, ike_keys_size(&sa->suite, wanted));
    return reader_bytes(&reader, key_size(&sa->suite, wanted));
}
