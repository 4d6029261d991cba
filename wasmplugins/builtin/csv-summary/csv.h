/* Comma-separated values (RFC 4180), a piece at a time. */
#ifndef CSV_H
#define CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a row may have; more makes it a broken one. */
#define CSV_FIELDS 1000
#define CSV_ROW (1 << 20) /* bytes */

typedef struct {
    const char *text; /* ends with a NUL */
    size_t size;
    bool quoted;
} csv_field;

typedef struct {
    char delimiter, quote;
    /* row is called for each row that is not empty; why is NULL, or what is
     * wrong with it. line is where it begins, from 1. */
    void (*row)(void *data, const csv_field *fields, size_t count, int64_t line, const char *why);
    void *data;

    enum { CSV_BEGIN, CSV_PLAIN, CSV_QUOTED, CSV_CLOSED } state;
    char text[CSV_ROW + 1];
    size_t size, starts;
    csv_field fields[CSV_FIELDS];
    size_t count;
    int64_t line, began;
    const char *why;
    bool any, quoted;
} csv;

void csv_feed(csv *c, const char *text, size_t size);

/* csv_end takes what is left as the last row. */
void csv_end(csv *c);

/* csv_guess is the delimiter of which the first line has most: a comma,
 * semicolon, tab or bar. */
char csv_guess(const char *text, size_t size, char quote);

#endif
