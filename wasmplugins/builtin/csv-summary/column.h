/* What is known of one column. */
#ifndef COLUMN_H
#define COLUMN_H

#include "../../../sdk/c/octopus.h"

typedef struct {
    const char *name;
    int64_t filled, missing;
    unsigned kinds; /* those that all values are of, so far */
    double least, most, sum, lost; /* of numbers; lost is what rounding took from sum */
    char first[40], last[40];      /* of dates, as they are written */
    size_t shortest, longest;      /* in bytes */
} column;

void column_begin(column *c, const char *name);
void column_add(column *c, const char *text, size_t size, bool quoted);
octopus_json *column_json(const column *c);

#endif
