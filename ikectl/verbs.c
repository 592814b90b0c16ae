/*
 * The table of verbs, and the command line around it.
 *
 * Options may stand anywhere; those that only some verbs take are refused elsewhere.
 */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include <jansson.h>

#include "config.h"
#include "ikectl/ikectl.h"
#include "lib/base/nearest.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct verb {
    const char *name;
    const char *arguments; /* for the usage; those that must be there come first */
    const char *summary;
    int min;
    int max;
    bool is_reload; /* takes --dry-run and --force */
    enum exit_status (*run)(struct ikectl *ctl, int count, char **arguments);
};

static const struct verb verbs[] = {
    {"show", "[WHAT [NAME]]", "an overview, or: connections, sas, policies, counters, config", 0, 2,
     false, verb_show},
    {"up", "NAME", "bring a connection up and wait for the outcome", 1, 1, false, verb_up},
    {"down", "NAME", "take a connection down and wait for the outcome", 1, 1, false, verb_down},
    {"rekey", "NAME [CHILD|ike]", "make new keys for a connection, or a part of it", 1, 2, false,
     verb_rekey},
    {"reload", "[--dry-run]", "read the configuration anew; say what changes", 0, 0, true,
     verb_reload},
    {"check", "[FILE]", "check a configuration; needs no iked", 0, 1, false, verb_check},
    {"monitor", "", "print events as they happen", 0, 0, false, verb_monitor},
};

/* Values of the options that have no letter. */
enum option_value {
    OPTION_SOCKET = 's',
    OPTION_JSON = 256,
    OPTION_DRY_RUN,
    OPTION_FORCE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

enum exit_status complain(const struct ikectl *ctl, enum exit_status status, const char *format,
                          ...)
{
    va_list arguments;

    fputs("ikectl: ", ctl->err);
    va_start(arguments, format);
    vfprintf(ctl->err, format, arguments);
    va_end(arguments);
    fputc('\n', ctl->err);
    return status;
}

enum exit_status print_outcome_json(const struct ikectl *ctl, bool done, const char *text)
{
    json_t *json = json_pack("{s:b, s:s}", "done", done, done ? "text" : "error", text);

    json_dumpf(json, ctl->out, JSON_COMPACT);
    fputc('\n', ctl->out);
    json_decref(json);
    return done ? EXIT_DONE : EXIT_FAILED;
}

static void print_usage(FILE *file)
{
    fputs("usage: ikectl [-s PATH] [--json] VERB [ARGUMENTS]\n\n", file);
    for (size_t i = 0; i < LENGTH(verbs); i++)
        fprintf(file, "  %-7s %-16s  %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
    fputs("\n"
          "  -s, --socket PATH      iked's control socket (" IKED_RUN_DIR "/control.sock)\n"
          "      --json             print JSON\n"
          "      --dry-run          reload: change nothing\n"
          "      --force            reload: also when most connections go\n"
          "      --help, --version\n\n"
          "Exit status: 0 done, 1 failed, 2 misuse, 3 no iked.  See ikectl(8).\n",
          file);
}

/* getopt left in optopt the letter that it did not know, 0 for a long name, or the value of a
 * known one that was used wrongly. */
static enum exit_status misuse_option(const struct ikectl *ctl, const char *text)
{
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
    if (optopt >= OPTION_JSON)
        return complain(ctl, EXIT_MISUSE, "%s takes no value", name);
    if (optopt != 0)
        return complain(ctl, EXIT_MISUSE, "unknown option -%c; see ikectl --help", optopt);
    struct nearest near = nearest_to(name + strspn(name, "-"));
    for (size_t i = 0; options[i].name != NULL; i++)
        nearest_try(&near, options[i].name);
    return complain(ctl, EXIT_MISUSE, "unknown option %s; the nearest is --%s", name, near.best);
}

/* Reads the options into `ctl`.  False when there is nothing more to do: *status says why. */
static bool options_read(struct ikectl *ctl, int argc, char **argv, enum exit_status *status)
{
    int value;

    optind = 0;
    opterr = 0;
    *status = EXIT_DONE;
    while ((value = getopt_long(argc, argv, ":s:", options, NULL)) != -1) {
        switch (value) {
        case OPTION_SOCKET:
            ctl->socket = optarg;
            ctl->socket_given = true;
            break;
        case OPTION_JSON: ctl->json = true; break;
        case OPTION_DRY_RUN: ctl->dry_run = true; break;
        case OPTION_FORCE: ctl->force = true; break;
        case OPTION_HELP: print_usage(ctl->out); return false;
        case OPTION_VERSION: fputs("ikectl " IKED_VERSION "\n", ctl->out); return false;
        case ':':
            *status = complain(ctl, EXIT_MISUSE, "%s needs a path behind it", argv[optind - 1]);
            return false;
        default: *status = misuse_option(ctl, argv[optind - 1]); return false;
        }
    }
    return true;
}

static const struct verb *verb_find(const char *name, const char **nearest)
{
    struct nearest near = nearest_to(name);

    for (size_t i = 0; i < LENGTH(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
        nearest_try(&near, verbs[i].name);
    }
    *nearest = near.best;
    return NULL;
}

static enum exit_status verb_run(const struct verb *verb, struct ikectl *ctl, int count,
                                 char **arguments)
{
    if ((ctl->dry_run || ctl->force) && !verb->is_reload)
        return complain(ctl, EXIT_MISUSE, "%s does not go with %s",
                        ctl->dry_run ? "--dry-run" : "--force", verb->name);
    if (count < verb->min)
        return complain(ctl, EXIT_MISUSE, "%s: %.*s is missing; usage: ikectl %s %s", verb->name,
                        (int)strcspn(verb->arguments, " "), verb->arguments, verb->name,
                        verb->arguments);
    if (count > verb->max)
        return complain(ctl, EXIT_MISUSE, "%s: nothing to do with \"%s\"; usage: ikectl %s%s%s",
                        verb->name, arguments[verb->max], verb->name,
                        verb->arguments[0] != '\0' ? " " : "", verb->arguments);
    return verb->run(ctl, count, arguments);
}

enum exit_status ikectl_run(struct ikectl *ctl, int argc, char **argv)
{
    const char *nearest;
    enum exit_status status;

    if (!options_read(ctl, argc, argv, &status))
        return status;
    if (optind >= argc) {
        print_usage(ctl->err);
        return EXIT_MISUSE;
    }
    const struct verb *verb = verb_find(argv[optind], &nearest);
    if (verb == NULL)
        return complain(ctl, EXIT_MISUSE, "unknown verb \"%s\"; the nearest is \"%s\"",
                        argv[optind], nearest);
    status = verb_run(verb, ctl, argc - optind - 1, argv + optind + 1);
    /* What was not printed was not done: a full disk behind a redirection, say. */
    if (fflush(ctl->out) != 0 || ferror(ctl->out) != 0)
        return complain(ctl, EXIT_FAILED, "writing the output failed");
    return status;
}
