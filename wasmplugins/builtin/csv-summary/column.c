#include "column.h"

#include <ctype.h>
#include <strings.h>

enum { INTEGER = 1, NUMBER = 2, BOOLEAN = 4, DATE = 8, TIME = 16, ALL = 31 };

void column_begin(column *c, const char *name) { *c = (column){.name = name, .kinds = ALL}; }

static bool is_missing(const char *s, size_t n) {
    static const char *words[] = {"na", "n/a", "null", "nan"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (n == strlen(words[i]) && !strcasecmp(s, words[i]))
            return true;
    return n == 0;
}

static size_t digits(const char **s) {
    const char *from = *s;
    while (isdigit((unsigned char)**s))
        (*s)++;
    return (size_t)(*s - from);
}

/* number says which numbers a text is. What begins with a zero, as 007 does,
 * is a code and no number. */
static unsigned number(const char *s) {
    s += *s == '-' || *s == '+';
    bool coded = s[0] == '0' && isdigit((unsigned char)s[1]);
    size_t whole = digits(&s), places = 0;
    unsigned kinds = INTEGER | NUMBER;
    if (*s == '.') {
        s++;
        places = digits(&s);
        kinds = NUMBER;
    }
    if (coded || whole + places == 0 || whole > 18)
        kinds &= whole > 18 && !coded ? NUMBER : 0;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        if (!digits(&s))
            return 0;
        kinds &= NUMBER;
    }
    return *s ? 0 : kinds;
}

static bool shaped(const char *s, const char *shape) {
    for (; *shape; s++, shape++)
        if (*shape == '9' ? !isdigit((unsigned char)*s) : *shape == 'T' ? *s != 'T' && *s != ' ' : *s != *shape)
            return false;
    return true;
}

/* date knows 2026-01-31, alone or with a time of day after it. */
static unsigned date(const char *s, size_t n) {
    if (!shaped(s, "9999-99-99") || s[5] > '1' || s[8] > '3' || n >= sizeof((column *)0)->first)
        return 0;
    return n == 10 ? DATE | TIME : shaped(s + 10, "T99:99") ? TIME : 0;
}

static unsigned kinds_of(const char *s, size_t n) {
    static const char *words[] = {"true", "false", "yes", "no"};
    unsigned kinds = number(s) | date(s, n);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(s, words[i]))
            kinds |= BOOLEAN;
    return kinds;
}

static void measure(column *c, double v) {
    if (!c->filled || v < c->least)
        c->least = v;
    if (!c->filled || v > c->most)
        c->most = v;
    double next = c->sum + v; /* Neumaier's summation */
    c->lost += (c->sum < 0 ? -c->sum : c->sum) >= (v < 0 ? -v : v) ? (c->sum - next) + v : (v - next) + c->sum;
    c->sum = next;
}

void column_add(column *c, const char *text, size_t size, bool quoted) {
    while (!quoted && size && isspace((unsigned char)*text))
        text++, size--;
    while (!quoted && size && isspace((unsigned char)text[size - 1]))
        size--;
    char value[64] = "";
    if (size < sizeof value)
        memcpy(value, text, size);
    if (size < sizeof value && is_missing(value, size)) {
        c->missing++;
        return;
    }
    c->kinds &= size < sizeof value && strlen(value) == size ? kinds_of(value, size) : 0;
    if (c->kinds & NUMBER)
        measure(c, strtod(value, NULL));
    if (c->kinds & TIME) {
        if (!c->filled || strcmp(value, c->first) < 0)
            strcpy(c->first, value);
        if (!c->filled || strcmp(value, c->last) > 0)
            strcpy(c->last, value);
    }
    if (!c->filled || size < c->shortest)
        c->shortest = size;
    if (size > c->longest)
        c->longest = size;
    c->filled++;
}

static const char *type_of(const column *c) {
    if (!c->filled)
        return "empty";
    return c->kinds & INTEGER ? "integer" : c->kinds & NUMBER ? "number" : c->kinds & BOOLEAN ? "boolean" : c->kinds & DATE ? "date" : c->kinds & TIME ? "time" : "text";
}

octopus_json *column_json(const column *c) {
    octopus_json *v = octopus_object();
    octopus_set(v, "name", octopus_string(c->name));
    octopus_set(v, "type", octopus_string(type_of(c)));
    octopus_set(v, "filled", octopus_integer(c->filled));
    octopus_set(v, "missing", octopus_integer(c->missing));
    if (!c->filled)
        return v;
    if (c->kinds & NUMBER) {
        octopus_set(v, "min", octopus_number(c->least));
        octopus_set(v, "max", octopus_number(c->most));
        octopus_set(v, "mean", octopus_number((c->sum + c->lost) / (double)c->filled));
        octopus_set(v, "sum", octopus_number(c->sum + c->lost));
    } else if (c->kinds & TIME) {
        octopus_set(v, "min", octopus_string(c->first));
        octopus_set(v, "max", octopus_string(c->last));
    } else if (!(c->kinds & BOOLEAN)) {
        octopus_set(v, "min_length", octopus_integer((int64_t)c->shortest));
        octopus_set(v, "max_length", octopus_integer((int64_t)c->longest));
    }
    return v;
}
