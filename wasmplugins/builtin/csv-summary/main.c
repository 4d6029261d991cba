/* csv-summary says what is in a table: its rows and columns, what type their
 * values have, and which rows are broken. */
#include "source.h"

#include "column.h"
#include "csv.h"

#define SHOWN 20 /* broken rows in the result */

typedef struct {
    octopus *o;
    bool header;
    column *columns;
    size_t count;
    int64_t rows, broken;
    octopus_json *shown;
} table;

static void begin(table *t, const csv_field *fields, size_t count) {
    t->columns = octopus_alloc(count * sizeof *t->columns);
    t->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *name = octopus_format("column %d", (int)i + 1);
        if (t->header && fields[i].size)
            name = octopus_copy(fields[i].text, fields[i].size);
        column_begin(&t->columns[i], name);
    }
}

static void broken(table *t, size_t count, int64_t line, const char *why) {
    if (t->broken++ >= SHOWN)
        return;
    octopus_json *row = octopus_add(t->shown, octopus_object());
    octopus_set(row, "line", octopus_integer(line));
    octopus_set(row, "fields", octopus_integer((int64_t)count));
    octopus_set(row, "why", octopus_string(why ? why : octopus_format("%d fields instead of %d", (int)count, (int)t->count)));
}

static void row(void *data, const csv_field *fields, size_t count, int64_t line, const char *why) {
    table *t = data;
    bool first = !t->columns;
    if (first)
        begin(t, fields, count);
    if (first && t->header && !why)
        return;
    t->rows++;
    if (why || count != t->count) {
        broken(t, count, line, why);
        return;
    }
    for (size_t i = 0; i < count; i++)
        column_add(&t->columns[i], fields[i].text, fields[i].size, fields[i].quoted);
}

static octopus_json *result(const table *t, const char *path, const csv *c) {
    octopus_json *r = octopus_object(), *columns = octopus_array();
    if (path)
        octopus_set(r, "path", octopus_string(path));
    octopus_set(r, "delimiter", octopus_bytes(&c->delimiter, 1));
    octopus_set(r, "rows", octopus_integer(t->rows));
    octopus_set(r, "broken", octopus_integer(t->broken));
    for (size_t i = 0; i < t->count; i++)
        octopus_add(columns, column_json(&t->columns[i]));
    octopus_set(r, "columns", columns);
    octopus_set(r, "broken_rows", t->shown);
    return r;
}

static const column *named(const table *t, const char *name) {
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->columns[i].name, name))
            return &t->columns[i];
    return NULL;
}

/* absent is the first of the wanted columns that is not there. */
static const char *absent(const table *t, const octopus_json *wanted) {
    for (const octopus_json *w = wanted ? wanted->first : NULL; w; w = w->next)
        if (!named(t, octopus_text(w, "")))
            return octopus_text(w, "");
    return NULL;
}

static void judge(octopus *o, const table *t, const char *what) {
    int64_t at_least = octopus_int(octopus_get(o->params, "at_least_rows"), 0);
    int64_t at_most = octopus_int(octopus_get(o->params, "at_most_broken"), INT64_MAX);
    const char *lacks = absent(t, octopus_get(o->params, "need_columns"));
    const char *code = NULL;
    if (lacks) {
        code = "missing_column";
        octopus_fail(o, 502, "%s has no column %s.", what, lacks);
    } else if (t->broken > at_most) {
        code = "too_many_broken";
        octopus_fail(o, 502, "%s: %lld of %lld rows are broken, more than %lld.", what, (long long)t->broken, (long long)t->rows, (long long)at_most);
    } else if (t->rows - t->broken < at_least) {
        code = "too_few_rows";
        octopus_fail(o, 502, "%s has %lld sound rows, fewer than %lld.", what, (long long)(t->rows - t->broken), (long long)at_least);
    }
    if (code) {
        octopus_with_code(o, code);
        octopus_with_retry(o, false, 0);
        return;
    }
    octopus_ok(o, "%s has %lld row%s in %d column%s, %lld of them broken.", what, (long long)t->rows, t->rows == 1 ? "" : "s", (int)t->count,
               t->count == 1 ? "" : "s", (long long)t->broken);
}

static void finish(octopus *o, const table *t, const char *path, const csv *c) {
    judge(o, t, path ? path : "The text");
    octopus_with_result(o, result(t, path, c));
    octopus_with_metric(o, "rows", (double)t->rows);
    octopus_with_metric(o, "broken", (double)t->broken);
    octopus_with_metric(o, "columns", (double)t->count);
    octopus_json *kept = octopus_object();
    octopus_set(kept, "path", octopus_string(path ? path : ""));
    octopus_set(kept, "rows", octopus_integer(t->rows));
    octopus_set(kept, "broken", octopus_integer(t->broken));
    octopus_with_db(o, "tables", kept);
}

static char one_character(const octopus_json *v, char otherwise) {
    const char *text = octopus_text(v, "");
    if (!strcmp(text, "tab") || !strcmp(text, "\\t"))
        return '\t';
    return text[0] && !text[1] ? text[0] : otherwise;
}

static void summarize(octopus *o) {
    static csv c; /* a megabyte: too much for the stack */
    static table t;
    const octopus_json *text = octopus_get(o->params, "text");
    const char *path = octopus_text(octopus_get(o->params, "path"), NULL);
    if (!path == !text) {
        octopus_fail(o, 400, "Give either a path or a text.");
        octopus_with_code(o, "invalid_params");
        return;
    }
    t = (table){.o = o, .header = octopus_true(octopus_get(o->params, "header"), true), .shown = octopus_array()};
    c = (csv){.quote = one_character(octopus_get(o->params, "quote"), '"'), .delimiter = one_character(octopus_get(o->params, "delimiter"), 0), .row = row, .data = &t};
    if (text)
        source_piece(&c, text->text, text->size);
    else if (!source_file(o, path, &c)) {
        octopus_fail_with(o, "%s cannot be read: %s", path, o->error.message);
        return;
    }
    csv_end(&c);
    finish(o, &t, path, &c);
}

int main(void) {
    octopus_action actions[] = {{"summarize", summarize}, {0}};
    return octopus_main(actions);
}
