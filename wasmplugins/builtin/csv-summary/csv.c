#include "csv.h"

#include <string.h>

static void wrong(csv *c, const char *why) {
    if (!c->why)
        c->why = why;
}

static void put(csv *c, char b) {
    if (c->size < CSV_ROW)
        c->text[c->size++] = b;
    else
        wrong(c, "longer than 1 MiB");
}

static void end_field(csv *c) {
    if (c->count < CSV_FIELDS)
        c->fields[c->count++] = (csv_field){c->text + c->starts, c->size - c->starts, c->quoted};
    else
        wrong(c, "more than 1000 fields");
    put(c, 0);
    c->starts = c->size;
    c->quoted = false;
    c->state = CSV_BEGIN;
}

static void end_row(csv *c) {
    if (c->any) {
        /* the line's end, where it is CRLF, is no part of the last field */
        if (c->state == CSV_PLAIN && c->size > c->starts && c->text[c->size - 1] == '\r')
            c->size--;
        bool blank = c->count == 0 && c->size == c->starts && !c->quoted;
        end_field(c);
        c->text[CSV_ROW] = 0;
        if (!blank)
            c->row(c->data, c->fields, c->count, c->began, c->why);
    }
    c->size = c->starts = c->count = 0;
    c->why = NULL;
    c->any = false;
}

static void closed(csv *c, char b) {
    if (b == c->quote) { /* twice: one in the text */
        put(c, b);
        c->state = CSV_QUOTED;
    } else if (b != '\r') {
        wrong(c, "text after a closing quote");
        put(c, b);
        c->state = CSV_PLAIN;
    }
}

static void feed(csv *c, char b) {
    if (!c->any) {
        c->any = true;
        c->began = c->line + 1;
    }
    if (b == '\n')
        c->line++;
    if (c->state == CSV_QUOTED) {
        if (b == c->quote)
            c->state = CSV_CLOSED;
        else
            put(c, b);
    } else if (b == '\n')
        end_row(c);
    else if (c->state == CSV_CLOSED && b != c->delimiter)
        closed(c, b);
    else if (b == c->delimiter)
        end_field(c);
    else if (c->state == CSV_BEGIN && b == c->quote) {
        c->state = CSV_QUOTED;
        c->quoted = true;
    } else {
        put(c, b);
        c->state = CSV_PLAIN;
    }
}

void csv_feed(csv *c, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        feed(c, text[i]);
}

void csv_end(csv *c) {
    if (c->state == CSV_QUOTED)
        wrong(c, "a quote that is never closed");
    end_row(c);
}

char csv_guess(const char *text, size_t size, char quote) {
    static const char candidates[] = ",;\t|";
    size_t counts[sizeof candidates - 1] = {0}, best = 0;
    bool inside = false;
    for (size_t i = 0; i < size && (inside || text[i] != '\n'); i++) {
        const char *at = text[i] ? strchr(candidates, text[i]) : NULL;
        if (text[i] == quote)
            inside = !inside;
        else if (!inside && at)
            counts[at - candidates]++;
    }
    for (size_t i = 1; i < sizeof counts / sizeof *counts; i++)
        if (counts[i] > counts[best])
            best = i;
    return candidates[best];
}
