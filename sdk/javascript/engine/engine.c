/* The engine of script plugins: QuickJS as a WASI command. It reads the
   request from standard input, gets the script from its runner, calls the
   exported function that the request names, and prints the response.
   prelude.js is the part of it that is written in JavaScript: the object
   "octopus", the console, and how a response or an error is put into words.

   It imports what WASI preview 1 defines and octopus_v1, and opens no file:
   the script is the reply of the operation "source", which the runner itself
   answers with the module's custom section octopus.script. */

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "quickjs.h"
#include "prelude.h" /* static const char prelude[], made of prelude.js */

#define IMPORT(name) __attribute__((import_module("octopus_v1"), import_name(name)))
IMPORT("call") int host_call(const char *op, size_t op_len, const char *req, size_t req_len);
IMPORT("read") int host_read(char *buf, size_t cap);

/* The linker gives the stack 1 MiB; what is left over is for C functions
   that do not look at the limit. */
#define STACK (768 * 1024)
#define FIRST_GC (4 * 1024 * 1024) /* most scripts end before their first */
#define REFUSAL 16384 /* the longest reply that comes with an errno */
#define SCRIPT "plugin.js"

/* Memory: the module's linear memory is the limit, and the host knows that it
   refused more. starved says that this happened. */

static int starved;

static void *give(JSMallocState *s, size_t size)
{
    void *p = malloc(size);
    if (!p) {
        starved = 1;
        return NULL;
    }
    s->malloc_count++;
    s->malloc_size += malloc_usable_size(p);
    return p;
}

static void take(JSMallocState *s, void *p)
{
    if (!p)
        return;
    s->malloc_count--;
    s->malloc_size -= malloc_usable_size(p);
    free(p);
}

static void *regive(JSMallocState *s, void *p, size_t size)
{
    if (!p)
        return size ? give(s, size) : NULL;
    if (!size) {
        take(s, p);
        return NULL;
    }
    size_t old = malloc_usable_size(p);
    void *q = realloc(p, size);
    if (!q) {
        starved = 1;
        return NULL;
    }
    s->malloc_size += malloc_usable_size(q) - old;
    return q;
}

static size_t usable(const void *p) { return malloc_usable_size((void *)p); }

static const JSMallocFunctions memory = { give, take, regive, usable };

/* Input and output. */

/* slurp reads standard input; the result ends with a NUL that n leaves out. */
static char *slurp(size_t *n)
{
    size_t cap = 64 * 1024;
    char *buf = malloc(cap);
    *n = 0;
    while (buf) {
        ssize_t got = read(0, buf + *n, cap - *n - 1);
        if (got <= 0)
            break;
        *n += got;
        if (cap - *n < 2) {
            char *more = realloc(buf, cap *= 2);
            if (!more)
                free(buf);
            buf = more;
        }
    }
    if (buf)
        buf[*n] = 0;
    return buf;
}

static void say(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, text, n);
        if (put <= 0)
            exit(1);
        text += put;
        n -= put;
    }
}

/* ask makes a host call. It returns the reply, ended with a NUL, and its
   length; where the host only gave an errno, that is negative. */
static char *ask(const char *op, size_t op_len, const char *req, size_t req_len, int *n)
{
    int errno_or_size = host_call(op, op_len, req, req_len);
    size_t cap = errno_or_size < 0 ? REFUSAL : errno_or_size;
    char *reply = malloc(cap + 1);
    *n = errno_or_size;
    if (!reply) {
        starved = 1;
        return NULL;
    }
    int got = host_read(reply, cap);
    if (got > 0)
        *n = got;
    reply[got > 0 ? got : 0] = 0;
    return reply;
}

/* What prelude.js calls: the functions of the object "native". */

/* native.call(op, request) is a host call; a number is a bare errno. */
static JSValue native_call(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t op_len, req_len;
    int n;
    JSValue out = JS_EXCEPTION;
    const char *op = JS_ToCStringLen(ctx, &op_len, argv[0]);
    const char *req = JS_ToCStringLen(ctx, &req_len, argv[1]);
    if (op && req) {
        char *reply = ask(op, op_len, req, req_len, &n);
        if (!reply)
            out = JS_ThrowOutOfMemory(ctx);
        else if (n < 0)
            out = JS_NewInt32(ctx, -n);
        else
            out = JS_NewStringLen(ctx, reply, n);
        free(reply);
    }
    JS_FreeCString(ctx, op);
    JS_FreeCString(ctx, req);
    return out;
}

/* native.print(text) writes to standard error, which is the log. */
static JSValue native_print(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t n;
    const char *text = JS_ToCStringLen(ctx, &n, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    say(2, text, n);
    JS_FreeCString(ctx, text);
    return JS_UNDEFINED;
}

/* native.sleep(milliseconds) */
static JSValue native_sleep(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    int32_t ms;
    if (JS_ToInt32(ctx, &ms, argv[0]))
        return JS_EXCEPTION;
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    if (ms > 0)
        nanosleep(&t, NULL);
    return JS_UNDEFINED;
}

/* native.encode(text) is an ArrayBuffer of UTF-8. */
static JSValue native_encode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t n;
    const char *text = JS_ToCStringLen(ctx, &n, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    JSValue out = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, n);
    JS_FreeCString(ctx, text);
    return out;
}

/* part finds the bytes of (buffer, offset, length). */
static const uint8_t *part(JSContext *ctx, JSValueConst *argv, size_t *n)
{
    size_t size;
    uint32_t offset, length;
    const uint8_t *bytes = JS_GetArrayBuffer(ctx, &size, argv[0]);
    if (!bytes || JS_ToUint32(ctx, &offset, argv[1]) || JS_ToUint32(ctx, &length, argv[2]))
        return NULL;
    if (offset > size || length > size - offset) {
        JS_ThrowRangeError(ctx, "a part beyond the end of its buffer");
        return NULL;
    }
    *n = length;
    return bytes + offset;
}

/* native.decode(buffer, offset, length) is the text of UTF-8; what is not
   UTF-8 becomes U+FFFD. */
static JSValue native_decode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t n;
    const uint8_t *bytes = part(ctx, argv, &n);
    return bytes ? JS_NewStringLen(ctx, (const char *)bytes, n) : JS_EXCEPTION;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* native.base64(buffer, offset, length) */
static JSValue native_base64(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t n, o = 0;
    const uint8_t *b = part(ctx, argv, &n);
    if (!b)
        return JS_EXCEPTION;
    char *out = js_malloc(ctx, (n + 2) / 3 * 4 + 1);
    if (!out)
        return JS_EXCEPTION;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = b[i] << 16 | (i + 1 < n ? b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        out[o++] = digits[v >> 18];
        out[o++] = digits[v >> 12 & 63];
        out[o++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        out[o++] = i + 2 < n ? digits[v & 63] : '=';
    }
    JSValue text = JS_NewStringLen(ctx, out, o);
    js_free(ctx, out);
    return text;
}

static int digit(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? at - digits : -1;
}

/* native.bytes(base64) is an ArrayBuffer. */
static JSValue native_bytes(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t n, o = 0;
    const char *text = JS_ToCStringLen(ctx, &n, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    JSValue out = JS_EXCEPTION;
    uint8_t *b = js_malloc(ctx, n / 4 * 3 + 3);
    size_t pad = n >= 2 && text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0, end = n - pad, i;
    uint32_t v = 0;
    for (i = 0; b && i < end; i++) {
        int d = digit(text[i]);
        if (d < 0)
            break;
        v = v << 6 | d;
        if (i % 4 == 3) {
            b[o++] = v >> 16;
            b[o++] = v >> 8;
            b[o++] = v;
        }
    }
    if (b && (i < end || n % 4))
        JS_ThrowSyntaxError(ctx, "this is not base64");
    else if (b) {
        if (pad == 1) {
            b[o++] = v >> 10;
            b[o++] = v >> 2;
        } else if (pad == 2)
            b[o++] = v >> 4;
        out = JS_NewArrayBufferCopy(ctx, b, o);
    }
    js_free(ctx, b);
    JS_FreeCString(ctx, text);
    return out;
}

static JSValue natives(JSContext *ctx)
{
    static const struct { const char *name; JSCFunction *run; int args; } all[] = {
        { "call", native_call, 2 }, { "print", native_print, 1 }, { "sleep", native_sleep, 1 },
        { "encode", native_encode, 1 }, { "decode", native_decode, 3 },
        { "base64", native_base64, 3 }, { "bytes", native_bytes, 1 },
    };
    JSValue native = JS_NewObject(ctx);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        JS_SetPropertyStr(ctx, native, all[i].name, JS_NewCFunction(ctx, all[i].run, all[i].name, all[i].args));
    return native;
}

/* Promises that were rejected and that nobody has awaited yet. */

static struct { JSValue promise, reason; } *rejected;
static size_t rejections;

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL handled, void *opaque)
{
    for (size_t i = 0; handled && i < rejections; i++)
        if (JS_VALUE_GET_PTR(rejected[i].promise) == JS_VALUE_GET_PTR(promise)) {
            JS_FreeValue(ctx, rejected[i].promise);
            JS_FreeValue(ctx, rejected[i].reason);
            rejected[i] = rejected[--rejections];
            return;
        }
    if (handled)
        return;
    void *more = realloc(rejected, (rejections + 1) * sizeof *rejected);
    if (!more) {
        starved = 1;
        return;
    }
    rejected = more;
    rejected[rejections].promise = JS_DupValue(ctx, promise);
    rejected[rejections++].reason = JS_DupValue(ctx, reason);
}

/* The life of one execution. */

/* alone refuses imports: a script is one file. */
static JSModuleDef *alone(JSContext *ctx, const char *name, void *opaque)
{
    JS_ThrowReferenceError(ctx, "%s cannot be imported: a script plugin is one file. Bundle it first, see docs/plugins.md", name);
    return NULL;
}

/* settle runs what waits for promises until nothing is left, and returns what
   became of one: its value; or an exception, also where it is still pending. */
static JSValue settle(JSContext *ctx, JSValue promise)
{
    JSContext *job;
    while (JS_ExecutePendingJob(JS_GetRuntime(ctx), &job) > 0)
        ;
    JSValue out = JS_EXCEPTION;
    switch (JS_PromiseState(ctx, promise)) {
    case JS_PROMISE_FULFILLED:
        out = JS_PromiseResult(ctx, promise);
        break;
    case JS_PROMISE_REJECTED:
        track(ctx, promise, JS_UNDEFINED, 1, NULL);
        JS_Throw(ctx, JS_PromiseResult(ctx, promise));
        break;
    case JS_PROMISE_PENDING:
        JS_ThrowTypeError(ctx, "it waits for a promise that nothing will ever settle");
        break;
    default:
        out = JS_DupValue(ctx, promise);
    }
    JS_FreeValue(ctx, promise);
    return out;
}

/* load evaluates the script and returns its exports. */
static JSValue load(JSContext *ctx, const char *source, size_t n)
{
    JSValue module = JS_Eval(ctx, source, n, SCRIPT, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(module))
        return module;
    JSModuleDef *def = JS_VALUE_GET_PTR(module);
    JSValue done = JS_EvalFunction(ctx, module);
    if (JS_IsException(done))
        return done;
    done = settle(ctx, done);
    if (JS_IsException(done))
        return done;
    JS_FreeValue(ctx, done);
    return JS_GetModuleNamespace(ctx, def);
}

/* answer is the response as text. */
static JSValue answer(JSContext *ctx, JSValueConst octopus, const char *request, size_t n)
{
    int size;
    char *source = ask("source", 6, "{}", 2, &size);
    if (!source)
        return JS_ThrowOutOfMemory(ctx);
    if (size < 0)
        return JS_ThrowTypeError(ctx, "this module holds no script: pack it with octopus plugins pack");
    JSValue exports = load(ctx, source, size);
    free(source);
    if (JS_IsException(exports))
        return exports;
    JSValue run = JS_GetPropertyStr(ctx, octopus, "run");
    JSValueConst args[] = { exports, JS_NewStringLen(ctx, request, n) };
    JSValue promise = JS_Call(ctx, run, octopus, 2, args);
    return JS_IsException(promise) ? promise : settle(ctx, promise);
}

/* broken is the response for an error, as text. */
static JSValue broken(JSContext *ctx, JSValueConst octopus, JSValue error)
{
    JSValue put = JS_GetPropertyStr(ctx, octopus, "broken");
    JSValueConst args[] = { error };
    return JS_Call(ctx, put, octopus, 1, args);
}

int main(void)
{
    size_t n;
    char *request = slurp(&n);
    JSRuntime *rt = request ? JS_NewRuntime2(&memory, NULL) : NULL;
    JSContext *ctx = rt ? JS_NewContext(rt) : NULL;
    if (!ctx)
        return 1;
    JS_SetMaxStackSize(rt, STACK);
    JS_SetGCThreshold(rt, FIRST_GC);
    JS_SetModuleLoaderFunc(rt, NULL, alone, NULL);
    JS_SetHostPromiseRejectionTracker(rt, track, NULL);

    JSValue make = JS_Eval(ctx, prelude, sizeof prelude - 1, "octopus", JS_EVAL_TYPE_GLOBAL);
    JSValueConst args[] = { natives(ctx) };
    JSValue octopus = JS_Call(ctx, make, JS_UNDEFINED, 1, args);
    JSValue text = answer(ctx, octopus, request, n);
    int failed = JS_IsException(text);
    if (failed)
        text = broken(ctx, octopus, JS_GetException(ctx));
    else if (rejections > 0) {
        failed = 1;
        text = broken(ctx, octopus, rejected[0].reason);
    }
    /* Without a response the host says that memory ran out. */
    if (failed && starved)
        return 1;
    size_t size;
    const char *out = JS_ToCStringLen(ctx, &size, text);
    if (!out)
        return 1;
    say(1, out, size);
    return 0; /* the instance ends with the process: nothing is freed */
}
