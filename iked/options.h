/*
 * Reading the command line.
 *
 * Not here: what it says (process/options.h), the configuration file.
 */
#ifndef IKED_OPTIONS_H
#define IKED_OPTIONS_H

#include "iked/process/options.h"

#define EXIT_MISUSE 2

enum options_result { OPTIONS_GO, OPTIONS_DONE, OPTIONS_MISUSE };

/* Fills `options` with what was given and defaults for the rest.  DONE: --help or --version has
 * been printed.  MISUSE: one line has gone to stderr. */
enum options_result options_parse(struct options *options, int argc, char **argv);

/* The daemon's directory is "/", and a negotiator's is not this one, either: paths do not depend on
 * it from now on.  False with errno set. */
bool options_make_absolute(struct options *options);

#endif
