/*
 * When iked cannot run: see fallback.h.
 */
#include "iked/keeper/fallback.h"

#include "iked/keeper/require.h"
#include "iked/keeper/saved.h"
#include "iked/keeper/upkeep.h"
#include "iked/process/log.h"

static const char *const words[] = {
    [FALLBACK_FILES] = "the configuration",
    [FALLBACK_SAVED] = "the last good configuration",
    [FALLBACK_PART] = "the readable part of the configuration",
};

enum fallback fallback_find(const struct options *options, struct loaded *loaded)
{
    char unsaid[FILES_ERROR_MAX];

    if (files_load_config(options->file, loaded, unsaid))
        return FALLBACK_FILES;
    if (options->state_dir != NULL && saved_read(options->state_dir, options->file, loaded))
        return FALLBACK_SAVED;
    return files_salvage(options->file, loaded) ? FALLBACK_PART : FALLBACK_NOTHING;
}

size_t fallback_protect(struct kernel *kernel, const struct config *config)
{
    static const struct service_hooks nobody;
    struct service service;

    if (!service_init(&service, kernel, &nobody))
        return 0;
    gate_offer(&service.gate, config);
    upkeep_adopt_policies(&service);
    size_t count = require_all(&service, true);
    service_free(&service);
    return count;
}

static void protect(const struct config *config, enum fallback whose)
{
    struct reason reason = {0};
    struct kernel *kernel = kernel_xfrm_new(NULL, &reason);

    if (kernel == NULL) {
        log_line(SEVERITY_ERROR, "what is required cannot be blocked: %s", reason.text);
        return;
    }
    size_t count = fallback_protect(kernel, config);
    log_line(SEVERITY_WARNING,
             "iked does not run, and what %s requires does not pass: policies for %zu pair%s of "
             "selectors stand (daemon.on_failure = \"open\" changes that)",
             words[whose], count, count == 1 ? "" : "s");
}

void fallback_run(const struct options *options)
{
    struct loaded loaded;
    enum fallback whose = fallback_find(options, &loaded);

    if (whose == FALLBACK_NOTHING) {
        log_line(SEVERITY_WARNING, "iked does not run, and no configuration is known: what no "
                                   "earlier policy covers passes in the clear");
        return;
    }
    if (loaded.config->daemon.open_on_failure)
        log_line(SEVERITY_WARNING,
                 "iked does not run, and what no earlier policy covers passes in the clear "
                 "(daemon.on_failure = \"open\" in %s)",
                 words[whose]);
    else
        protect(loaded.config, whose);
    loaded_free(&loaded);
}
