/*
 * The command line: see options.h and iked(8).
 */
#include "iked/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

/* A config.h of before does not have it. */
#ifndef IKED_STATE_DIR
#define IKED_STATE_DIR "/var/lib/iked"
#endif

enum long_option {
    OPTION_RUN = 256,
    OPTION_STATE,
    OPTION_KERNEL,
    OPTION_USER,
    OPTION_NEGOTIATOR,
    OPTION_RESOLVER,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"run", required_argument, NULL, OPTION_RUN},
    {"state", required_argument, NULL, OPTION_STATE},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"user", required_argument, NULL, OPTION_USER},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {"negotiator", required_argument, NULL, OPTION_NEGOTIATOR}, /* see process/start.c */
    {"resolver", required_argument, NULL, OPTION_RESOLVER},     /* the same */
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "usage: iked [-dnv] [-f FILE] [--run DIR] [--state DIR] [--kernel=xfrm|none] [--user NAME]\n"
    "\n"
    "Negotiates IPsec security associations (IKEv2) and installs them into the kernel.\n"
    "\n"
    "  -d             stay in the foreground, log to stderr\n"
    "  -n             check the configuration and leave\n"
    "  -f FILE        configuration (" IKED_CONFIG_DIR "/iked.conf); conf.d/*.conf and\n"
    "                 secrets.conf are read beside it\n"
    "  -v             log debugging, too\n"
    "  --run DIR      control socket and pid file (" IKED_RUN_DIR ")\n"
    "  --state DIR    the last good configuration (" IKED_STATE_DIR ")\n"
    "  --kernel=KIND  xfrm, or none: negotiate, but install and protect nothing\n"
    "  --user NAME    user of the unprivileged process (" IKED_USER ")\n"
    "  --version, --help\n"
    "\n"
    "See iked(8), iked.conf(5), ikectl(8).\n";

static enum options_result misuse(const char *what, const char *given)
{
    fprintf(stderr, "iked: %s%s%s%s; see iked --help\n", what, given != NULL ? " \"" : "",
            given != NULL ? given : "", given != NULL ? "\"" : "");
    return OPTIONS_MISUSE;
}

static enum options_result read_kernel(struct options *options, const char *text)
{
    if (strcmp(text, "xfrm") == 0)
        options->kernel = OPTIONS_KERNEL_XFRM;
    else if (strcmp(text, "none") == 0)
        options->kernel = OPTIONS_KERNEL_NONE;
    else
        return misuse("--kernel is \"xfrm\" or \"none\", not", text);
    return OPTIONS_GO;
}

/* "UID:GID" */
static enum options_result read_user(struct options *options, const char *text)
{
    char *end;

    options->uid = (uid_t)strtoul(text, &end, 10);
    if (*end != ':')
        return misuse("--negotiator and --resolver are for iked itself, not with", text);
    options->gid = (gid_t)strtoul(end + 1, &end, 10);
    return *end == '\0' ? OPTIONS_GO
                        : misuse("--negotiator and --resolver are for iked itself, not with", text);
}

/* What getopt stumbled over: a letter, perhaps in the middle of a word, or a long option. */
static const char *option_word(char **argv)
{
    static char letter[] = "-?";

    if (optopt <= 0 || optopt >= OPTION_RUN)
        return argv[optind - 1];
    letter[1] = (char)optopt;
    return letter;
}

static enum options_result read_option(struct options *options, int option, char **argv)
{
    switch (option) {
    case 'd': options->foreground = true; break;
    case 'n': options->check_only = true; break;
    case 'v': options->verbose = true; break;
    case 'f': options->file = optarg; break;
    case OPTION_RUN: options->run_dir = optarg; break;
    case OPTION_STATE: options->state_dir = optarg; break;
    case OPTION_USER: options->user = optarg; break;
    case OPTION_KERNEL: return read_kernel(options, optarg);
    case OPTION_NEGOTIATOR: options->negotiator = true; return read_user(options, optarg);
    case OPTION_RESOLVER: options->resolver = true; return read_user(options, optarg);
    case OPTION_VERSION: printf("iked %s\n", IKED_VERSION); return OPTIONS_DONE;
    case 'h':
    case OPTION_HELP: fputs(help, stdout); return OPTIONS_DONE;
    case ':': return misuse("a value is missing after", option_word(argv));
    default: return misuse("there is no option", option_word(argv));
    }
    return OPTIONS_GO;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
    int option;

    *options = (struct options){
        .file = IKED_CONFIG_DIR "/iked.conf", .run_dir = IKED_RUN_DIR, .state_dir = IKED_STATE_DIR};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":dnvf:h", long_options, NULL)) >= 0) {
        enum options_result result = read_option(options, option, argv);
        if (result != OPTIONS_GO)
            return result;
    }
    if (optind < argc)
        return misuse("there is nothing to do with", argv[optind]);
    return OPTIONS_GO;
}

static bool make_absolute(const char **path)
{
    char directory[PATH_MAX];
    char *absolute;

    if ((*path)[0] == '/')
        return true;
    if (getcwd(directory, sizeof(directory)) == NULL ||
        asprintf(&absolute, "%s/%s", directory, *path) < 0)
        return false;
    *path = absolute;
    return true;
}

bool options_make_absolute(struct options *options)
{
    return make_absolute(&options->file) && make_absolute(&options->run_dir) &&
           make_absolute(&options->state_dir);
}
