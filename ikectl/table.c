/*
 * Text for a tired operator: see table.h.
 */
#include "ikectl/table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_GAP 2

struct row {
    char *cells[TABLE_COLUMNS_MAX];
    size_t cell_count;
    char **notes;
    size_t note_count;
};

struct table {
    const char *const *headers;
    size_t column_count;
    struct row *rows;
    size_t row_count;
};

/* --- Texts --- */

static void *or_die(void *memory)
{
    if (memory != NULL)
        return memory;
    fputs("ikectl: out of memory\n", stderr);
    exit(EXIT_FAILED);
}

PRINTF_LIKE(1, 0) static char *text_of_list(const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    return or_die(text);
}

char *text_of(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *text = text_of_list(format, arguments);
    va_end(arguments);
    return text;
}

char *duration_text(uint64_t ms, char *text)
{
    uint64_t s = ms / 1000;

    if (s < 60)
        snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "s", s);
    else if (s < 3600)
        snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
    return text;
}

/* How much of `text` goes on a line of `room` columns: up to a blank, or a word that is longer. */
static size_t line_length(const char *text, size_t room)
{
    size_t length = 0;

    for (size_t i = 0;; i++) {
        if (text[i] != '\0' && text[i] != ' ')
            continue;
        if (length > 0 && i > room)
            return length;
        length = i;
        if (text[i] == '\0')
            return length;
    }
}

void print_wrapped(FILE *out, const char *first, const char *text)
{
    size_t indent = strlen(first);
    size_t room = indent < OUTPUT_WIDTH ? OUTPUT_WIDTH - indent : 0;

    fputs(first, out);
    for (;;) {
        size_t length = line_length(text, room);
        fprintf(out, "%.*s\n", (int)length, text);
        text += length + strspn(text + length, " ");
        if (*text == '\0')
            return;
        fprintf(out, "%*s", (int)indent, "");
    }
}

/* --- Filling --- */

struct table *table_new(const char *const *headers, size_t column_count)
{
    struct table *table = or_die(calloc(1, sizeof(*table)));

    table->headers = headers;
    table->column_count = column_count;
    return table;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->row_count; i++) {
        struct row *row = &table->rows[i];
        for (size_t k = 0; k < row->cell_count; k++)
            free(row->cells[k]);
        for (size_t k = 0; k < row->note_count; k++)
            free(row->notes[k]);
        free(row->notes);
    }
    free(table->rows);
    free(table);
}

void table_row(struct table *table, const char *text)
{
    table->rows = or_die(reallocarray(table->rows, table->row_count + 1, sizeof(*table->rows)));
    table->rows[table->row_count++] = (struct row){.cells = {text_of("%s", text)}, .cell_count = 1};
}

void table_cell(struct table *table, const char *format, ...)
{
    struct row *row = &table->rows[table->row_count - 1];
    va_list arguments;

    va_start(arguments, format);
    row->cells[row->cell_count++] = text_of_list(format, arguments);
    va_end(arguments);
}

void table_note(struct table *table, const char *format, ...)
{
    struct row *row = &table->rows[table->row_count - 1];
    va_list arguments;

    row->notes = or_die(reallocarray(row->notes, row->note_count + 1, sizeof(*row->notes)));
    va_start(arguments, format);
    row->notes[row->note_count++] = text_of_list(format, arguments);
    va_end(arguments);
}

/* --- Printing --- */

/* The i-th line of a cell: its length, 0 past the end; *line is where it begins. */
static size_t cell_line(const char *cell, size_t i, const char **line)
{
    for (; i > 0; i--) {
        cell += strcspn(cell, "\n");
        if (*cell == '\n')
            cell++;
    }
    *line = cell;
    return strcspn(cell, "\n");
}

static size_t cell_height(const char *cell)
{
    size_t height = 1;

    for (; (cell = strchr(cell, '\n')) != NULL; cell++)
        height++;
    return height;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t row_height(const struct row *row)
{
    size_t height = 1;

    for (size_t k = 0; k < row->cell_count; k++)
        height = max_size(height, cell_height(row->cells[k]));
    return height;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->headers[column]);
    const char *line;

    for (size_t i = 0; i < table->row_count; i++) {
        if (column >= table->rows[i].cell_count)
            continue;
        const char *cell = table->rows[i].cells[column];
        for (size_t k = 0; k < cell_height(cell); k++)
            width = max_size(width, cell_line(cell, k, &line));
    }
    return width;
}

/* Blanks are owed until something follows them, so that no line ends in one. */
static void print_cell(FILE *out, const char *text, size_t length, size_t width, size_t *owed)
{
    if (length > 0) {
        fprintf(out, "%*s%.*s", (int)*owed, "", (int)length, text);
        *owed = 0;
    }
    *owed += width - length + COLUMN_GAP;
}

static void print_row(const struct table *table, const struct row *row, const size_t *widths,
                      FILE *out)
{
    const char *line;

    for (size_t i = 0; i < row_height(row); i++) {
        size_t owed = 0;
        for (size_t k = 0; k < row->cell_count && k < table->column_count; k++) {
            size_t length = cell_line(row->cells[k], i, &line);
            print_cell(out, line, length, widths[k], &owed);
        }
        fputc('\n', out);
    }
}

static void print_notes(const struct row *row, FILE *out)
{
    for (size_t i = 0; i < row->note_count; i++)
        print_wrapped(out, "    ", row->notes[i]);
}

static void print_columns(const struct table *table, const size_t *widths, FILE *out)
{
    size_t owed = 0;

    for (size_t k = 0; k < table->column_count; k++)
        print_cell(out, table->headers[k], strlen(table->headers[k]), widths[k], &owed);
    fputc('\n', out);
    for (size_t i = 0; i < table->row_count; i++) {
        print_row(table, &table->rows[i], widths, out);
        print_notes(&table->rows[i], out);
    }
}

/* The first column heads a row, the others are a line or more each; a blank line between rows. */
static void print_stacked(const struct table *table, FILE *out)
{
    size_t width = 0;
    const char *line;

    for (size_t k = 1; k < table->column_count; k++)
        width = max_size(width, strlen(table->headers[k]));
    for (size_t i = 0; i < table->row_count; i++) {
        const struct row *row = &table->rows[i];
        fprintf(out, "%s%s\n", i > 0 ? "\n" : "", row->cells[0]);
        for (size_t k = 1; k < row->cell_count && k < table->column_count; k++) {
            for (size_t l = 0; l < cell_height(row->cells[k]); l++) {
                size_t length = cell_line(row->cells[k], l, &line);
                char name[32] = "";
                for (size_t c = 0; l == 0 && table->headers[k][c] != '\0' && c < 31; c++)
                    name[c] = (char)tolower((unsigned char)table->headers[k][c]);
                fprintf(out, "  %-*s  %.*s\n", (int)width, name, (int)length, line);
            }
        }
        print_notes(row, out);
    }
}

void table_print(const struct table *table, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX];
    size_t total = 0;

    for (size_t k = 0; k < table->column_count; k++) {
        widths[k] = column_width(table, k);
        total += widths[k] + (k > 0 ? COLUMN_GAP : 0);
    }
    if (total <= OUTPUT_WIDTH)
        print_columns(table, widths, out);
    else
        print_stacked(table, out);
}
