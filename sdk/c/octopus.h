/* octopus.h is what a plugin written in C needs: it reads the request, calls
 * the function of the asked action, talks to the host, and prints the
 * response. It is one file without dependencies but the C library; copy it
 * into your own folder.
 *
 *     #include "octopus.h"
 *
 *     static void greet(octopus *o) {
 *         const char *name = octopus_text(octopus_get(o->params, "name"), "you");
 *         octopus_log(o, "greeting %s", name);
 *         octopus_ok(o, "Hello, %s.", name);
 *     }
 *
 *     int main(void) {
 *         octopus_action actions[] = {{"greet", greet}, {0}};
 *         return octopus_main(actions);
 *     }
 *
 * Build it with
 *
 *     clang --target=wasm32-wasi -O2 -Wl,--strip-all -o plugin.wasm main.c
 *
 * (Debian: clang lld wasi-libc libclang-rt-dev-wasm32). Built natively each
 * host call answers "unsupported_op" and logs go to standard error.
 *
 * Nothing is ever freed: an instance lives for one execution. Text is UTF-8;
 * what is not is replaced by U+FFFD where it is printed.
 */
#ifndef OCTOPUS_H
#define OCTOPUS_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OCTOPUS_API static __attribute__((unused))

/* ---- JSON ---- */

typedef enum { OCTOPUS_NULL, OCTOPUS_FALSE, OCTOPUS_TRUE, OCTOPUS_NUMBER, OCTOPUS_STRING, OCTOPUS_ARRAY, OCTOPUS_OBJECT } octopus_type;

/* octopus_json is one value. Functions that read one take NULL for a value
 * that is not there, and answer with what they were given for that case. */
typedef struct octopus_json octopus_json;
struct octopus_json {
    octopus_type type;
    char *text;  /* of a string, or of a number as it was written; ends with a NUL */
    size_t size; /* of text in bytes, without that NUL */
    char *key;   /* where this is a member of an object */
    size_t key_size;
    octopus_json *first, *last, *next; /* elements or members, in order */
    size_t count;
    bool held; /* by an array or an object; what is put into another one is copied */
};

OCTOPUS_API void *octopus_alloc(size_t size) {
    void *p = calloc(1, size ? size : 1);
    if (!p)
        _exit(1); /* the host knows that it refused memory, and says so */
    return p;
}

OCTOPUS_API char *octopus_copy(const char *text, size_t size) {
    char *p = (char *)octopus_alloc(size + 1);
    memcpy(p, text, size);
    return p;
}

OCTOPUS_API octopus_json *octopus_new(octopus_type type) {
    octopus_json *v = (octopus_json *)octopus_alloc(sizeof *v);
    v->type = type;
    return v;
}

OCTOPUS_API octopus_json *octopus_null(void) { return octopus_new(OCTOPUS_NULL); }
OCTOPUS_API octopus_json *octopus_bool(bool yes) { return octopus_new(yes ? OCTOPUS_TRUE : OCTOPUS_FALSE); }
OCTOPUS_API octopus_json *octopus_array(void) { return octopus_new(OCTOPUS_ARRAY); }
OCTOPUS_API octopus_json *octopus_object(void) { return octopus_new(OCTOPUS_OBJECT); }

OCTOPUS_API octopus_json *octopus_bytes(const char *text, size_t size) {
    octopus_json *v = octopus_new(OCTOPUS_STRING);
    v->text = octopus_copy(text, v->size = size);
    return v;
}

OCTOPUS_API octopus_json *octopus_string(const char *text) { return octopus_bytes(text, strlen(text)); }

OCTOPUS_API octopus_json *octopus_digits(const char *text) {
    octopus_json *v = octopus_string(text);
    v->type = OCTOPUS_NUMBER;
    return v;
}

OCTOPUS_API octopus_json *octopus_integer(int64_t n) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    return octopus_digits(text);
}

/* octopus_number has the fewest digits that are the same number again; what
 * JSON cannot write (infinities, NaN) is null. */
OCTOPUS_API octopus_json *octopus_number(double n) {
    char text[32];
    if (n != n || n - n != 0)
        return octopus_null();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, n);
        if (strtod(text, NULL) == n)
            break;
    }
    return octopus_digits(text);
}

OCTOPUS_API octopus_json *octopus_add(octopus_json *array, octopus_json *v);

/* octopus_clone copies a value with all that it holds. */
OCTOPUS_API octopus_json *octopus_clone(const octopus_json *v) {
    octopus_json *copy = octopus_new(v ? v->type : OCTOPUS_NULL);
    if (!v)
        return copy;
    copy->text = v->text;
    copy->size = v->size;
    for (const octopus_json *e = v->first; e; e = e->next) {
        octopus_json *c = octopus_add(copy, octopus_clone(e));
        c->key = e->key;
        c->key_size = e->key_size;
    }
    return copy;
}

/* octopus_add puts v at the end of an array, and returns it. NULL is null. */
OCTOPUS_API octopus_json *octopus_add(octopus_json *array, octopus_json *v) {
    if (!v || v->held)
        v = octopus_clone(v);
    v->held = true;
    if (array->last)
        array->last->next = v;
    else
        array->first = v;
    array->last = v;
    array->count++;
    return v;
}

/* octopus_set puts v into an object under a key that it does not have yet, and returns it. */
OCTOPUS_API octopus_json *octopus_set(octopus_json *object, const char *key, octopus_json *v) {
    v = octopus_add(object, v);
    v->key = octopus_copy(key, v->key_size = strlen(key));
    return v;
}

/* octopus_get is a member of an object; NULL where there is none. */
OCTOPUS_API octopus_json *octopus_get(const octopus_json *object, const char *key) {
    size_t size = strlen(key);
    octopus_json *v = object && object->type == OCTOPUS_OBJECT ? object->first : NULL;
    while (v && (v->key_size != size || memcmp(v->key, key, size) != 0))
        v = v->next;
    return v;
}

/* octopus_at is an element of an array; NULL beyond its end. */
OCTOPUS_API octopus_json *octopus_at(const octopus_json *array, size_t i) {
    octopus_json *v = array && array->type == OCTOPUS_ARRAY ? array->first : NULL;
    while (v && i-- > 0)
        v = v->next;
    return v;
}

OCTOPUS_API const char *octopus_text(const octopus_json *v, const char *otherwise) {
    return v && v->type == OCTOPUS_STRING ? v->text : otherwise;
}
OCTOPUS_API double octopus_double(const octopus_json *v, double otherwise) {
    return v && v->type == OCTOPUS_NUMBER ? strtod(v->text, NULL) : otherwise;
}
/* octopus_int is for whole numbers of 64 bits; other numbers are cut. */
OCTOPUS_API int64_t octopus_int(const octopus_json *v, int64_t otherwise) {
    if (!v || v->type != OCTOPUS_NUMBER)
        return otherwise;
    if (!strpbrk(v->text, ".eE"))
        return strtoll(v->text, NULL, 10);
    double n = strtod(v->text, NULL);
    return n >= 9223372036854775807.0 ? INT64_MAX : n <= -9223372036854775808.0 ? INT64_MIN : (int64_t)n;
}
OCTOPUS_API bool octopus_true(const octopus_json *v, bool otherwise) {
    return v && (v->type == OCTOPUS_TRUE || v->type == OCTOPUS_FALSE) ? v->type == OCTOPUS_TRUE : otherwise;
}

/* Printing. */

typedef struct {
    char *text;
    size_t size, room;
} octopus_buffer;

OCTOPUS_API void octopus_put(octopus_buffer *b, const char *text, size_t size) {
    if (b->room - b->size <= size) {
        b->room = 2 * b->room + size + 64;
        b->text = (char *)realloc(b->text, b->room);
        if (!b->text)
            _exit(1);
    }
    memcpy(b->text + b->size, text, size);
    b->text[b->size += size] = 0;
}

/* octopus_rune is the length of the UTF-8 sequence at s, 0 where there is none. */
OCTOPUS_API size_t octopus_rune(const unsigned char *s, size_t left) {
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

OCTOPUS_API void octopus_quote(octopus_buffer *b, const char *text, size_t size) {
    octopus_put(b, "\"", 1);
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = octopus_rune((const unsigned char *)text + i, size - i);
        if (c == '"' || c == '\\') {
            char pair[] = {'\\', (char)c};
            octopus_put(b, pair, 2);
        } else if (c < 0x20) {
            char code[8];
            snprintf(code, sizeof code, "\\u%04x", c);
            octopus_put(b, code, 6);
        } else if (n == 0)
            octopus_put(b, "\xef\xbf\xbd", 3);
        else
            octopus_put(b, text + i, n);
        i += n ? n : 1;
    }
    octopus_put(b, "\"", 1);
}

OCTOPUS_API void octopus_write(octopus_buffer *b, const octopus_json *v) {
    static const char *const words[] = {"null", "false", "true"};
    if (!v || v->type <= OCTOPUS_TRUE) {
        const char *word = words[v ? v->type : OCTOPUS_NULL];
        octopus_put(b, word, strlen(word));
    } else if (v->type == OCTOPUS_NUMBER)
        octopus_put(b, v->text, v->size);
    else if (v->type == OCTOPUS_STRING)
        octopus_quote(b, v->text, v->size);
    else {
        bool members = v->type == OCTOPUS_OBJECT;
        octopus_put(b, members ? "{" : "[", 1);
        for (const octopus_json *e = v->first; e; e = e->next) {
            if (members) {
                octopus_quote(b, e->key, e->key_size);
                octopus_put(b, ":", 1);
            }
            octopus_write(b, e);
            if (e->next)
                octopus_put(b, ",", 1);
        }
        octopus_put(b, members ? "}" : "]", 1);
    }
}

OCTOPUS_API octopus_buffer octopus_print(const octopus_json *v) {
    octopus_buffer b = {0};
    octopus_write(&b, v);
    return b;
}

/* Parsing. */

typedef struct {
    const char *at, *end;
    int depth;
} octopus_parser;

OCTOPUS_API void octopus_space(octopus_parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
}

OCTOPUS_API bool octopus_eat(octopus_parser *p, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* octopus_hex reads four digits; -1 where they are not. */
OCTOPUS_API long octopus_hex(octopus_parser *p) {
    long v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p->at < p->end ? *p->at++ : 0;
        long d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

OCTOPUS_API void octopus_utf8(octopus_buffer *b, long c) {
    char s[4];
    size_t n = 0;
    if (c < 0x80)
        s[n++] = (char)c;
    else {
        if (c < 0x800)
            s[n++] = (char)(0xc0 | c >> 6);
        else {
            if (c < 0x10000)
                s[n++] = (char)(0xe0 | c >> 12);
            else {
                s[n++] = (char)(0xf0 | c >> 18);
                s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
            }
            s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        }
        s[n++] = (char)(0x80 | (c & 0x3f));
    }
    octopus_put(b, s, n);
}

/* octopus_escape reads what follows a backslash; half of a surrogate pair is U+FFFD. */
OCTOPUS_API bool octopus_escape(octopus_parser *p, octopus_buffer *b) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = p->at < p->end ? *p->at++ : 0;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        octopus_put(b, to + (known - from), 1);
        return true;
    }
    long rune = c == 'u' ? octopus_hex(p) : -1;
    if (rune < 0)
        return false;
    if (rune >= 0xd800 && rune < 0xdc00) {
        octopus_parser ahead = *p;
        long low = octopus_eat(&ahead, "\\u") ? octopus_hex(&ahead) : -1;
        if (low >= 0xdc00 && low < 0xe000) {
            rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
            *p = ahead;
        }
    }
    octopus_utf8(b, rune >= 0xd800 && rune < 0xe000 ? 0xfffd : rune);
    return true;
}

OCTOPUS_API bool octopus_unquote(octopus_parser *p, octopus_buffer *b) {
    octopus_put(b, "", 0);
    if (!octopus_eat(p, "\""))
        return false;
    while (p->at < p->end) {
        unsigned char c = (unsigned char)*p->at;
        if (c == '"') {
            p->at++;
            return true;
        }
        size_t n = octopus_rune((const unsigned char *)p->at, (size_t)(p->end - p->at));
        if (c < 0x20 || n == 0)
            return false;
        if (c == '\\') {
            p->at++;
            if (!octopus_escape(p, b))
                return false;
            continue;
        }
        octopus_put(b, p->at, n);
        p->at += n;
    }
    return false;
}

OCTOPUS_API bool octopus_run_of_digits(octopus_parser *p) {
    const char *from = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        p->at++;
    return p->at > from;
}

OCTOPUS_API octopus_json *octopus_parse_number(octopus_parser *p) {
    const char *from = p->at;
    octopus_eat(p, "-");
    if (!octopus_eat(p, "0") && !octopus_run_of_digits(p))
        return NULL;
    if (octopus_eat(p, ".") && !octopus_run_of_digits(p))
        return NULL;
    if (octopus_eat(p, "e") || octopus_eat(p, "E")) {
        if (!octopus_eat(p, "+"))
            octopus_eat(p, "-");
        if (!octopus_run_of_digits(p))
            return NULL;
    }
    return octopus_digits(octopus_copy(from, (size_t)(p->at - from)));
}

OCTOPUS_API octopus_json *octopus_value(octopus_parser *p);

/* octopus_list reads the elements or members after an opening bracket. */
OCTOPUS_API octopus_json *octopus_list(octopus_parser *p, octopus_type type, const char *close) {
    octopus_json *list = octopus_new(type);
    octopus_space(p);
    if (octopus_eat(p, close))
        return list;
    do {
        octopus_buffer key = {0};
        if (type == OCTOPUS_OBJECT) {
            octopus_space(p);
            if (!octopus_unquote(p, &key))
                return NULL;
            octopus_space(p);
            if (!octopus_eat(p, ":"))
                return NULL;
        }
        octopus_json *v = octopus_value(p);
        if (!v)
            return NULL;
        v->key = key.text;
        v->key_size = key.size;
        octopus_add(list, v);
        octopus_space(p);
    } while (octopus_eat(p, ","));
    return octopus_eat(p, close) ? list : NULL;
}

OCTOPUS_API octopus_json *octopus_value(octopus_parser *p) {
    octopus_json *v = NULL;
    octopus_space(p);
    if (p->at == p->end || ++p->depth > 200)
        return NULL;
    if (octopus_eat(p, "{"))
        v = octopus_list(p, OCTOPUS_OBJECT, "}");
    else if (octopus_eat(p, "["))
        v = octopus_list(p, OCTOPUS_ARRAY, "]");
    else if (*p->at == '"') {
        octopus_buffer b = {0};
        if (octopus_unquote(p, &b)) {
            v = octopus_new(OCTOPUS_STRING);
            v->text = b.text;
            v->size = b.size;
        }
    } else if (octopus_eat(p, "null"))
        v = octopus_null();
    else if (octopus_eat(p, "true"))
        v = octopus_bool(true);
    else if (octopus_eat(p, "false"))
        v = octopus_bool(false);
    else
        v = octopus_parse_number(p);
    p->depth--;
    return v;
}

/* octopus_parse reads one JSON value; NULL where the text is not one. */
OCTOPUS_API octopus_json *octopus_parse(const char *text, size_t size) {
    octopus_parser p = {text, text + size, 0};
    octopus_json *v = octopus_value(&p);
    octopus_space(&p);
    return p.at == p.end ? v : NULL;
}

/* Base64, for files and bodies that are not text. */

OCTOPUS_API octopus_json *octopus_base64(const void *data, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)data;
    octopus_buffer b = {0};
    octopus_put(&b, "", 0);
    for (size_t i = 0; i < size; i += 3) {
        uint32_t v = (uint32_t)s[i] << 16 | (i + 1 < size ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < size ? s[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < size ? digits[v >> 6 & 63] : '=', i + 2 < size ? digits[v & 63] : '='};
        octopus_put(&b, four, 4);
    }
    return octopus_bytes(b.text, b.size);
}

/* octopus_unbase64 decodes a string; NULL where it is not base64. The bytes end with a NUL that size leaves out. */
OCTOPUS_API char *octopus_unbase64(const octopus_json *text, size_t *size) {
    octopus_buffer b = {0};
    uint32_t v = 0;
    size_t n = text && text->type == OCTOPUS_STRING ? text->size : 1, pad = 0;
    octopus_put(&b, "", 0);
    for (size_t i = 0; i < n && n % 4 == 0; i++) {
        char c = text->text[i];
        int d = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
        if (c == '=' && i + 2 >= n)
            d = 0, pad++;
        if (d < 0 || (pad && c != '='))
            return NULL;
        v = v << 6 | (uint32_t)d;
        if (i % 4 == 3) {
            char three[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
            octopus_put(&b, three, 3 - pad);
        }
    }
    *size = b.size;
    return n % 4 == 0 ? b.text : NULL;
}

/* ---- The host ---- */

/* octopus_error is an operation that the host refused or could not carry out.
 * code is one of denied, unsupported_op, invalid_request, timeout, cancelled,
 * dns, refused, unreachable, tls, protocol, not_found, too_large, quota,
 * rate_limited, unavailable, internal; NULL where nothing failed. */
typedef struct {
    const char *op, *code, *message;
    bool retryable;
} octopus_error;

/* octopus is one request, its response, and the way to the host. */
typedef struct {
    const octopus_json *request, *params, *config, *execution, *user;
    const char *action;
    octopus_error error; /* of the last host call */

    octopus_json *response, *data, *metrics, *failure; /* made by octopus_ok and others */
} octopus;

#ifdef __wasm__
__attribute__((import_module("octopus_v1"), import_name("call"))) int32_t octopus_host_call(const char *op, size_t op_size, const char *request, size_t size);
__attribute__((import_module("octopus_v1"), import_name("read"))) int32_t octopus_host_read(char *reply, size_t room);
#else
OCTOPUS_API int32_t octopus_host_call(const char *op, size_t op_size, const char *request, size_t size) {
    return (void)op, (void)op_size, (void)request, (void)size, -52;
}
OCTOPUS_API int32_t octopus_host_read(char *reply, size_t room) { return (void)reply, (void)room, 0; }
#endif

OCTOPUS_API char *octopus_vformat(const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = (char *)octopus_alloc((size_t)(size < 0 ? 0 : size) + 1);
    vsnprintf(text, (size_t)(size < 0 ? 0 : size) + 1, format, args);
    return text;
}

__attribute__((format(printf, 1, 2))) OCTOPUS_API char *octopus_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = octopus_vformat(format, args);
    va_end(args);
    return text;
}

/* octopus_errno names the codes of refusals without a reply; the numbers are WASI's. */
OCTOPUS_API const char *octopus_errno(int32_t n) {
    switch (n) {
    case 1: return "too_large";
    case 2: return "denied";
    case 6: return "rate_limited";
    case 11: return "cancelled";
    case 28: return "invalid_request";
    case 44: return "not_found";
    case 51: return "quota";
    case 52: return "unsupported_op";
    case 73: return "timeout";
    }
    return "internal";
}

/* octopus_call carries out any host operation. It returns the reply, or NULL
 * with o->error set; o->error is all NULL after a call that went well. */
OCTOPUS_API octopus_json *octopus_call(octopus *o, const char *op, const octopus_json *request) {
    octopus_buffer in = octopus_print(request);
    int32_t n = octopus_host_call(op, strlen(op), in.text, in.size);
    size_t room = n < 0 ? 16384 : (size_t)n;
    char *text = (char *)octopus_alloc(room + 1);
    int32_t got = octopus_host_read(text, room);
    octopus_json *reply = octopus_parse(text, got > 0 ? (size_t)got : 0);
    octopus_json *error = octopus_get(reply, "error");
    o->error = (octopus_error){0};
    if (error && error->type == OCTOPUS_OBJECT)
        o->error = (octopus_error){op, octopus_text(octopus_get(error, "code"), "internal"),
                                   octopus_text(octopus_get(error, "message"), ""), octopus_true(octopus_get(error, "retryable"), false)};
    else if (n < 0)
        o->error = (octopus_error){op, octopus_errno(-n), octopus_format("the host refused %s (errno %d)", op, (int)-n), false};
    else if (!reply)
        o->error = (octopus_error){op, "internal", octopus_format("the host answered %s with invalid JSON", op), false};
    return o->error.code ? NULL : reply;
}

OCTOPUS_API void octopus_say(octopus *o, const char *level, const char *message) {
    octopus_error before = o->error;
    octopus_json *line = octopus_object();
    octopus_set(line, "level", octopus_string(level));
    octopus_set(line, "message", octopus_string(message));
    if (!octopus_call(o, "log", line))
        fprintf(stderr, "%s\n", message);
    o->error = before;
}

/* octopus_log writes a line to the execution's log, live; debug, warn and error are the same with another level. */
#define OCTOPUS_LEVEL(name, level)                                                                      \
    __attribute__((format(printf, 2, 3))) OCTOPUS_API void name(octopus *o, const char *format, ...) { \
        va_list args;                                                                                   \
        va_start(args, format);                                                                         \
        octopus_say(o, level, octopus_vformat(format, args));                                           \
        va_end(args);                                                                                   \
    }
OCTOPUS_LEVEL(octopus_log, "info")
OCTOPUS_LEVEL(octopus_debug, "debug")
OCTOPUS_LEVEL(octopus_warn, "warn")
OCTOPUS_LEVEL(octopus_log_error, "error")

/* octopus_progress reports how far the work is, from 0 to 1, and what is done now. */
__attribute__((format(printf, 3, 4))) OCTOPUS_API void octopus_progress(octopus *o, double fraction, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *message = octopus_vformat(format, args);
    va_end(args);
    octopus_error before = o->error;
    octopus_json *note = octopus_object();
    octopus_set(note, "fraction", octopus_number(fraction < 0 ? 0 : fraction > 1 ? 1 : fraction));
    if (*message)
        octopus_set(note, "message", octopus_string(message));
    octopus_call(o, "progress", note);
    o->error = before; /* a courtesy, never a reason to fail */
}

/* octopus_cancelled tells whether somebody asked the execution to end; 10 seconds later it is killed. */
OCTOPUS_API bool octopus_cancelled(octopus *o) {
    octopus_error before = o->error;
    bool yes = octopus_true(octopus_get(octopus_call(o, "cancelled", octopus_object()), "cancelled"), false);
    o->error = before;
    return yes;
}

/* octopus_sleep waits and returns true, or false as soon as the execution is cancelled. */
OCTOPUS_API bool octopus_sleep(octopus *o, double seconds) {
    for (;; seconds -= 0.25) {
        if (octopus_cancelled(o))
            return false;
        if (!(seconds > 0))
            return true;
        double now = seconds < 0.25 ? seconds : 0.25;
        struct timespec t = {0, (long)(now * 1e9)};
        nanosleep(&t, NULL);
    }
}

/* octopus_content puts text as it is, and other bytes as base64. */
OCTOPUS_API void octopus_content(octopus_json *to, const char *text_key, const char *base64_key, const void *data, size_t size) {
    const unsigned char *s = (const unsigned char *)data;
    size_t i = 0, n = 1;
    while (i < size && (n = octopus_rune(s + i, size - i)) > 0)
        i += n;
    if (n > 0)
        octopus_set(to, text_key, octopus_bytes((const char *)data, size));
    else
        octopus_set(to, base64_key, octopus_base64(data, size));
}

/* octopus_http is a request for octopus_fetch; zero values mean GET, 10 s and 10 MiB. */
typedef struct {
    const char *method, *url;
    octopus_json *headers; /* an object of strings */
    const void *body;
    size_t body_size;
    double timeout_seconds;
    int64_t max_bytes; /* longer bodies are truncated */
    bool no_redirects;
} octopus_http;

/* octopus_fetch makes an HTTP request through the host, which needs the
 * capability http. The reply has status, headers, bytes, truncated,
 * duration_ms, remote_addr, final_url, redirects and tls; octopus_body is its
 * body. NULL: see o->error. */
OCTOPUS_API octopus_json *octopus_fetch(octopus *o, octopus_http r) {
    octopus_json *q = octopus_object();
    if (r.method)
        octopus_set(q, "method", octopus_string(r.method));
    octopus_set(q, "url", octopus_string(r.url ? r.url : ""));
    if (r.headers)
        octopus_set(q, "headers", r.headers);
    if (r.body_size > 0)
        octopus_content(q, "body", "body_base64", r.body, r.body_size);
    if (r.timeout_seconds > 0)
        octopus_set(q, "timeout_seconds", octopus_number(r.timeout_seconds));
    if (r.max_bytes > 0)
        octopus_set(q, "max_bytes", octopus_integer(r.max_bytes));
    if (r.no_redirects)
        octopus_set(q, "follow_redirects", octopus_bool(false));
    return octopus_call(o, "http.fetch", q);
}

/* octopus_body is the body of a reply to octopus_fetch; it ends with a NUL that size leaves out. */
OCTOPUS_API const char *octopus_body(const octopus_json *reply, size_t *size) {
    const octopus_json *body = octopus_get(reply, "body"), *encoded = octopus_get(reply, "body_base64");
    const char *decoded = encoded ? octopus_unbase64(encoded, size) : NULL;
    if (decoded)
        return decoded;
    *size = body ? body->size : 0;
    return octopus_text(body, "");
}

OCTOPUS_API octopus_json *octopus_named(const char *field, const char *name) {
    octopus_json *q = octopus_object();
    octopus_set(q, field, octopus_string(name));
    return q;
}

OCTOPUS_API octopus_json *octopus_entry(const char *field, const char *name, octopus_json *value, int64_t ttl_seconds) {
    octopus_json *q = octopus_named(field, name);
    octopus_set(q, "value", value);
    if (ttl_seconds > 0)
        octopus_set(q, "ttl_seconds", octopus_integer(ttl_seconds));
    return q;
}

OCTOPUS_API octopus_json *octopus_found(const octopus_json *reply) {
    return octopus_true(octopus_get(reply, "found"), false) ? octopus_get(reply, "value") : NULL;
}

/* The plugin's durable store, which needs the capability kv. kv_get is NULL
 * where there is no such key, and where it failed: o->error.code tells. A ttl
 * of 0 keeps a value for good. */
OCTOPUS_API octopus_json *octopus_kv_get(octopus *o, const char *key) { return octopus_found(octopus_call(o, "kv.get", octopus_named("key", key))); }
OCTOPUS_API bool octopus_kv_set(octopus *o, const char *key, octopus_json *value, int64_t ttl_seconds) {
    return octopus_call(o, "kv.set", octopus_entry("key", key, value, ttl_seconds)) != NULL;
}
OCTOPUS_API bool octopus_kv_delete(octopus *o, const char *key) { return octopus_call(o, "kv.delete", octopus_named("key", key)) != NULL; }
/* octopus_kv_list is an array of at most 1,000 keys, in order. */
OCTOPUS_API octopus_json *octopus_kv_list(octopus *o, const char *prefix) { return octopus_get(octopus_call(o, "kv.list", octopus_named("prefix", prefix)), "keys"); }

/* The server's cache; names that begin with broadcast/ read what administrators broadcast. A ttl of 0 is an hour. */
OCTOPUS_API octopus_json *octopus_cache_get(octopus *o, const char *name) { return octopus_found(octopus_call(o, "cache.get", octopus_named("name", name))); }
OCTOPUS_API bool octopus_cache_set(octopus *o, const char *name, octopus_json *value, int64_t ttl_seconds) {
    return octopus_call(o, "cache.set", octopus_entry("name", name, value, ttl_seconds)) != NULL;
}

/* octopus_secret_get needs the capability secrets, with expose: value. NULL: see o->error. */
OCTOPUS_API const char *octopus_secret_get(octopus *o, const char *name) {
    return octopus_text(octopus_get(octopus_call(o, "secret.get", octopus_named("name", name)), "value"), NULL);
}

/* octopus_artifact_put keeps a file with the execution. content_type may be NULL. */
OCTOPUS_API bool octopus_artifact_put(octopus *o, const char *name, const char *content_type, const void *data, size_t size) {
    octopus_json *q = octopus_named("name", name);
    if (content_type)
        octopus_set(q, "content_type", octopus_string(content_type));
    octopus_content(q, "body", "body_base64", data, size);
    return octopus_call(o, "artifact.put", q) != NULL;
}

/* octopus_artifact_append goes on with a file that octopus_artifact_put began, or begins one, so that it may be larger than one call. */
OCTOPUS_API bool octopus_artifact_append(octopus *o, const char *name, const void *data, size_t size) {
    octopus_json *q = octopus_named("name", name);
    octopus_set(q, "append", octopus_bool(true));
    octopus_content(q, "body", "body_base64", data, size);
    return octopus_call(o, "artifact.put", q) != NULL;
}

/* ---- The response ---- */

OCTOPUS_API void octopus_answer(octopus *o, int status, const char *message) {
    o->response = octopus_object();
    o->data = o->metrics = o->failure = NULL;
    octopus_set(o->response, "status_code", octopus_integer(status));
    octopus_set(o->response, "message", octopus_string(message));
}

/* octopus_ok answers 200 with a message. The functions below add to the answer. */
__attribute__((format(printf, 2, 3))) OCTOPUS_API void octopus_ok(octopus *o, const char *format, ...) {
    va_list args;
    va_start(args, format);
    octopus_answer(o, 200, octopus_vformat(format, args));
    va_end(args);
}

/* octopus_fail answers with any status; 408, 425, 429 and 5xx may be retried. */
__attribute__((format(printf, 3, 4))) OCTOPUS_API void octopus_fail(octopus *o, int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    octopus_answer(o, status, octopus_vformat(format, args));
    va_end(args);
}

/* octopus_part is a part of the answer that is made when it is first needed. */
OCTOPUS_API octopus_json *octopus_part(octopus *o, octopus_json **part, const char *key, octopus_json *fresh) {
    if (!o->response)
        octopus_answer(o, 200, "");
    if (!*part)
        *part = octopus_set(o->response, key, fresh);
    return *part;
}

/* octopus_with_code names the failure for machines. */
OCTOPUS_API void octopus_with_code(octopus *o, const char *code) {
    octopus_set(octopus_part(o, &o->failure, "error", octopus_object()), "code", octopus_string(code));
}

/* octopus_fail_with answers for the last host call that failed, with its
 * code: 403 denied, 504 timeout, 499 cancelled, 400 for a request that the
 * host refused, 501 for an operation that it does not have, 502 for others. */
__attribute__((format(printf, 2, 3))) OCTOPUS_API void octopus_fail_with(octopus *o, const char *format, ...) {
    static const struct { const char *code; int status; } all[] = {{"denied", 403}, {"timeout", 504}, {"cancelled", 499}, {"invalid_request", 400}, {"unsupported_op", 501}};
    const char *code = o->error.code ? o->error.code : "exception";
    int status = o->error.code ? 502 : 500;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].code, code) == 0)
            status = all[i].status;
    va_list args;
    va_start(args, format);
    octopus_answer(o, status, octopus_vformat(format, args));
    va_end(args);
    octopus_with_code(o, code);
}

/* octopus_with_result sets the typed result, which the manifest's schema describes. */
OCTOPUS_API void octopus_with_result(octopus *o, octopus_json *value) {
    octopus_json *none = NULL;
    octopus_part(o, &none, "result", value);
}

/* octopus_with_metric adds a number that is worth a line over time. */
OCTOPUS_API void octopus_with_metric(octopus *o, const char *name, double value) {
    octopus_set(octopus_part(o, &o->metrics, "metrics", octopus_object()), name, octopus_number(value));
}

/* octopus_with_retry says whether another try makes sense, and after how many seconds at least. */
OCTOPUS_API void octopus_with_retry(octopus *o, bool retryable, int64_t after_seconds) {
    octopus_json *failure = octopus_part(o, &o->failure, "error", octopus_object());
    octopus_set(failure, "retryable", octopus_bool(retryable));
    if (after_seconds > 0)
        octopus_set(failure, "retry_after_seconds", octopus_integer(after_seconds));
}

OCTOPUS_API octopus_json *octopus_operation(octopus *o, const char *type, const char *name) {
    octopus_json *op = octopus_add(octopus_part(o, &o->data, "data", octopus_array()), octopus_object());
    octopus_set(op, "type", octopus_string(type));
    octopus_set(op, "name", octopus_string(name));
    return op;
}

/* octopus_with_db stores a value with the execution as a named result. */
OCTOPUS_API void octopus_with_db(octopus *o, const char *name, octopus_json *value) { octopus_set(octopus_operation(o, "db", name), "value", value); }

/* octopus_with_cache puts a value into the server's cache; a ttl of 0 is an hour. */
OCTOPUS_API void octopus_with_cache(octopus *o, const char *name, octopus_json *value, int64_t ttl_seconds) {
    octopus_json *op = octopus_operation(o, "cache", name);
    octopus_set(op, "value", value);
    if (ttl_seconds > 0)
        octopus_set(op, "ttl_seconds", octopus_integer(ttl_seconds));
}

/* octopus_with_file writes a file into the task's own folder on the agent; the name is one path segment. */
OCTOPUS_API void octopus_with_file(octopus *o, const char *name, const void *data, size_t size) {
    octopus_json *op = octopus_operation(o, "file", name), *probe = octopus_object();
    octopus_content(probe, "utf8", "base64", data, size);
    octopus_set(op, "encoding", octopus_string(probe->first->key));
    octopus_set(op, "value", probe->first);
}

/* ---- The program ---- */

/* octopus_action names the function of one action, as in the manifest. */
typedef struct {
    const char *name;
    void (*run)(octopus *o);
} octopus_action;

OCTOPUS_API char *octopus_names(const octopus_action *actions) {
    char *names = octopus_format("%s", "");
    for (const octopus_action *a = actions; a->name; a++)
        names = octopus_format("%s%s%s", names, *names ? ", " : "", a->name);
    return names;
}

/* octopus_serve answers one request. The actions end with {0}. */
OCTOPUS_API octopus_buffer octopus_serve(const octopus_action *actions, const char *request, size_t size) {
    octopus o = {0};
    o.request = octopus_parse(request, size);
    o.params = octopus_get(o.request, "params");
    o.config = octopus_get(o.request, "config");
    o.execution = octopus_get(o.request, "execution");
    o.user = octopus_get(o.request, "user");
    o.action = octopus_text(octopus_get(o.request, "action"), "");
    const octopus_action *a = actions;
    while (a->name && strcmp(a->name, o.action) != 0)
        a++;
    if (!o.request || o.request->type != OCTOPUS_OBJECT) {
        octopus_fail(&o, 400, "The request is not valid JSON.");
        octopus_with_code(&o, "invalid_request");
    } else if (!a->name) {
        octopus_fail(&o, 404, "This plugin has no action \"%s\", it has: %s.", o.action, octopus_names(actions));
        octopus_with_code(&o, "unknown_action");
    } else {
        a->run(&o);
        if (!o.response) {
            octopus_fail(&o, 500, "The action %s ended without a response.", o.action);
            octopus_with_code(&o, "exception");
        }
    }
    return octopus_print(o.response);
}

/* octopus_main serves the request on standard input; return its result from main. */
OCTOPUS_API int octopus_main(const octopus_action *actions) {
    octopus_buffer in = {0}, out;
    char piece[16384];
    ssize_t n;
    octopus_put(&in, "", 0);
    while ((n = read(0, piece, sizeof piece)) > 0)
        octopus_put(&in, piece, (size_t)n);
    out = octopus_serve(actions, in.text, in.size);
    octopus_put(&out, "\n", 1);
    for (size_t done = 0; done < out.size; done += (size_t)n)
        if ((n = write(1, out.text + done, out.size - done)) <= 0)
            return 1;
    return 0;
}

#endif
