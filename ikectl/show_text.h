/*
 * What `ikectl show` prints for people, from the items that iked sent.
 *
 * Each takes an array of items, in iked's order; `name` is the connection that was asked for, or
 * NULL.  Not here: asking, and JSON (show.c).
 */
#ifndef IKECTL_SHOW_TEXT_H
#define IKECTL_SHOW_TEXT_H

#include <stdio.h>

#include <jansson.h>

void text_connections(FILE *out, const json_t *connections, const char *name);
void text_sas(FILE *out, const json_t *sas, const char *name);
void text_policies(FILE *out, const json_t *policies, const char *name);

/* An array of one object, or of none. */
void text_counters(FILE *out, const json_t *counters, const char *name);

/* A file that `ikectl check` accepts. */
void text_config(FILE *out, const json_t *items, const char *name);

/* One screen: trouble first, then the rest, at most OVERVIEW_ROWS_MAX connections. */
#define OVERVIEW_ROWS_MAX 20
void text_overview(FILE *out, const char *version, const json_t *connections, const json_t *sas);

#endif
