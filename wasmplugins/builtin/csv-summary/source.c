/* The SDK frees nothing, which is right for what lives for one call. A file is
 * read in many, so that what each of them took is freed here. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct held held;
struct held {
    held *next;
    void *memory;
};

static held *all;
static bool holding;

static void *hold(void *memory) {
    held *h = holding && memory ? malloc(sizeof *h) : NULL;
    if (h) {
        *h = (held){all, memory};
        all = h;
    }
    return memory;
}

static void *held_calloc(size_t n, size_t size) { return hold(calloc(n, size)); }

static void *held_realloc(void *old, size_t size) {
    for (held *h = all; old && h; h = h->next)
        if (h->memory == old)
            return h->memory = realloc(old, size);
    return old ? realloc(old, size) : hold(realloc(NULL, size));
}

static void release(void) {
    while (all) {
        held *next = all->next;
        free(all->memory);
        free(all);
        all = next;
    }
}

#define calloc held_calloc
#define realloc held_realloc
#include "source.h"

#define PIECE (1 << 20) /* bytes of a file that one call brings */

void source_piece(csv *c, const char *text, size_t size) {
    if (!c->line && !c->any) {
        if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
            text += 3, size -= 3;
        if (!c->delimiter)
            c->delimiter = csv_guess(text, size, c->quote);
    }
    csv_feed(c, text, size);
}

static octopus_json *ask(octopus *o, const char *path, int64_t offset) {
    octopus_json *q = octopus_object();
    octopus_set(q, "path", octopus_string(path));
    octopus_set(q, "offset", octopus_integer(offset));
    octopus_set(q, "max_bytes", octopus_integer(PIECE));
    return octopus_call(o, "file.read", q);
}

bool source_file(octopus *o, const char *path, csv *c) {
    int64_t offset = 0;
    for (bool more = true; more;) {
        if (octopus_cancelled(o)) {
            o->error = (octopus_error){"file.read", "cancelled", "it was asked to end.", false};
            return false;
        }
        holding = true;
        octopus_json *reply = ask(o, path, offset);
        if (!reply)
            return false;
        size_t size;
        const char *text = octopus_body(reply, &size);
        int64_t whole = octopus_int(octopus_get(reply, "size"), 0);
        offset += octopus_int(octopus_get(reply, "bytes"), 0);
        more = size > 0 && !octopus_true(octopus_get(reply, "eof"), true);
        holding = false;
        source_piece(c, text, size);
        release();
        if (whole > 8 * PIECE)
            octopus_progress(o, (double)offset / (double)whole, "%s", path);
    }
    return true;
}
