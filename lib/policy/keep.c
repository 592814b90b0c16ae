/*
 * What is kept once for all connections that have it in common: see keep.h.
 */
#include "lib/policy/keep.h"

#include <stdio.h>
#include <string.h>

#define WRITTEN_MAX 1024 /* a longer list is read each time */

static const void *keep_octets(struct reading *reading, const config_setting_t *setting,
                               struct slice octets)
{
    const void *kept = pool_put(reading->keep->pool, octets);

    if (kept == NULL)
        setting_fault(reading, setting, "out of memory");
    return kept;
}

const char *keep_text(struct reading *reading, const config_setting_t *setting, const char *text)
{
    return keep_octets(reading, setting, slice_of(text, strlen(text) + 1));
}

const struct identity *keep_identity(struct reading *reading, const config_setting_t *setting,
                                     const struct identity *identity)
{
    size_t size = offsetof(struct identity, data) + identity->size;

    return keep_octets(reading, setting, slice_of(identity, size));
}

const struct selector *keep_selectors(struct reading *reading, const config_setting_t *setting,
                                      const struct selector *selectors, size_t count)
{
    return keep_octets(reading, setting, slice_of(selectors, count * sizeof(*selectors)));
}

const struct proposal_list *keep_proposals(struct reading *reading, const config_setting_t *setting,
                                           const struct proposal_list *list)
{
    return keep_octets(reading, setting, slice_of(list, sizeof(*list)));
}

/* --- Lists of proposals --- */

/* What was read once is known by its text and by what it is for. */
static const char *list_written(struct reading *reading, config_setting_t *setting, size_t count,
                                struct proposal_use use)
{
    char text[WRITTEN_MAX];
    size_t used = (size_t)snprintf(text, sizeof(text), "%d%d", use.child, use.weak);

    for (size_t i = 0; i < count && used < sizeof(text); i++) {
        const char *item = config_setting_get_string(setting_strings_at(setting, i));
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %zu:%s", strlen(item), item);
    }
    return used < sizeof(text) ? pool_put_text(reading->keep->pool, text) : NULL;
}

static const struct proposal_list *list_known(const struct keep *keep, const char *text)
{
    for (size_t i = 0; i < KEEP_LISTS; i++)
        if (text != NULL && keep->lists[i].text == text)
            return keep->lists[i].list;
    return NULL;
}

static void list_note(struct keep *keep, const char *text, const struct proposal_list *list)
{
    keep->lists[keep->next] = (struct written_list){.text = text, .list = list};
    keep->next = (keep->next + 1) % KEEP_LISTS;
}

static bool proposals_parse(struct reading *reading, config_setting_t *setting, size_t count,
                            struct proposal_use use, struct proposal_list *list)
{
    char wrong[PROPOSAL_WRONG_MAX];

    *list = (struct proposal_list){0};
    for (size_t i = 0; i < count; i++) {
        config_setting_t *item = setting_strings_at(setting, i);
        if (!proposal_parse(&list->items[i], config_setting_get_string(item), use, wrong))
            return setting_wrong_part(reading, item, wrong);
        list->count++;
    }
    return true;
}

static const struct proposal_list *proposals_default(struct reading *reading,
                                                     const config_setting_t *setting, bool child)
{
    const struct proposal_list **known = &reading->keep->defaults[child];
    struct proposal_list list;

    if (*known == NULL) {
        proposal_list_default(&list, child);
        *known = keep_proposals(reading, setting, &list);
    }
    return *known;
}

bool proposals_read(struct reading *reading, config_setting_t *setting,
                    const config_setting_t *owner, struct proposal_use use,
                    const struct proposal_list **kept)
{
    struct proposal_list list;

    if (setting == NULL)
        return (*kept = proposals_default(reading, owner, use.child)) != NULL;
    size_t count =
        setting_strings(reading, setting, CONFIG_PROPOSALS_MAX,
                        use.child ? "proposals such as \"aes256gcm16-esn\""
                                  : "proposals such as \"aes256gcm16-prfsha384-x25519\"");
    if (count == 0)
        return false;
    const char *text = list_written(reading, setting, count, use);
    *kept = list_known(reading->keep, text);
    if (*kept != NULL)
        return true;
    if (!proposals_parse(reading, setting, count, use, &list))
        return false;
    *kept = keep_proposals(reading, setting, &list);
    list_note(reading->keep, text, *kept);
    return *kept != NULL;
}
