/*
 * Text for a tired operator: aligned columns, lists and lines that stay within OUTPUT_WIDTH.
 *
 * A table that would be wider is printed row by row, each column a line.  When memory is out the
 * program ends: there is nothing to save.
 */
#ifndef IKECTL_TABLE_H
#define IKECTL_TABLE_H

#include "ikectl/ikectl.h"

#define TABLE_COLUMNS_MAX 8

struct table;

/* `headers` are borrowed.  Trailing empty columns of a row need no cells. */
struct table *table_new(const char *const *headers, size_t column_count);
void table_free(struct table *table);

/* Starts a row with its first cell; adds the next one.  Newlines make a cell of several lines. */
void table_row(struct table *table, const char *text);
void table_cell(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/* A remark beneath the last row. */
void table_note(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);

void table_print(const struct table *table, FILE *out);

/* `first`, then `text` broken at blanks; further lines begin with as many blanks as `first` has
 * columns. */
void print_wrapped(FILE *out, const char *first, const char *text);

/* "45s", "12m05s", "2h13m", "3d04h"; returns `text`. */
#define DURATION_TEXT_MAX 32
char *duration_text(uint64_t ms, char *text);

/* printf into memory that the caller frees. */
char *text_of(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
