/* The sample of the conformance suite that is written in C. */
#include "octopus.h"

static void greet(octopus *o) {
    const char *name = octopus_text(octopus_get(o->params, "name"), "");
    int64_t times = octopus_int(octopus_get(o->params, "times"), 1);
    for (int64_t i = 1; i <= times; i++) {
        octopus_log(o, "Hello, %s.", name);
        octopus_progress(o, (double)i / (double)times, "%d of %d", (int)i, (int)times);
    }
    const char *key = octopus_format("greeted/%s", name);
    int64_t total = times + octopus_int(octopus_kv_get(o, key), 0);
    if (o->error.code) {
        octopus_fail_with(o, "Not read: %s", o->error.message);
        return;
    }
    if (!octopus_kv_set(o, key, octopus_integer(total), 0)) {
        octopus_fail_with(o, "Not kept: %s", o->error.message);
        return;
    }
    octopus_json *result = octopus_object();
    octopus_set(result, "name", octopus_string(name));
    octopus_set(result, "times", octopus_integer(times));
    octopus_set(result, "total", octopus_integer(total));
    octopus_ok(o, "Hello, %s.", name);
    octopus_with_result(o, result);
    octopus_with_metric(o, "greetings", (double)times);
}

static void echo(octopus *o) {
    octopus_ok(o, "Echo.");
    octopus_with_result(o, octopus_get(o->params, "value"));
}

static void state(octopus *o) {
    octopus_json *value = octopus_object(), *list = octopus_array(), *result = octopus_object();
    octopus_set(value, "n", octopus_integer(1));
    octopus_add(list, octopus_integer(1));
    octopus_add(list, octopus_integer(2));
    octopus_kv_set(o, "a", value, 60);
    octopus_set(result, "before", octopus_kv_get(o, "a"));
    octopus_set(result, "keys", octopus_kv_list(o, ""));
    octopus_kv_delete(o, "a");
    octopus_set(result, "gone", octopus_bool(octopus_kv_get(o, "a") == NULL && !o->error.code));
    octopus_cache_set(o, "c", list, 0);
    octopus_set(result, "cached", octopus_cache_get(o, "c"));
    octopus_ok(o, "Kept.");
    octopus_with_result(o, result);
}

static void fetch(octopus *o) {
    const octopus_json *body = octopus_get(o->params, "body");
    octopus_json *headers = octopus_object(), *result = octopus_object();
    octopus_set(headers, "X-Test", octopus_string("1"));
    octopus_json *reply = octopus_fetch(o, (octopus_http){
        .method = "POST", .url = octopus_text(octopus_get(o->params, "url"), ""), .headers = headers, .body = body->text, .body_size = body->size});
    if (!reply) {
        octopus_fail_with(o, "No answer: %s", o->error.message);
        return;
    }
    size_t size;
    octopus_body(reply, &size);
    octopus_set(result, "text", octopus_string(octopus_text(octopus_get(reply, "body"), "")));
    octopus_set(result, "bytes", octopus_integer((int64_t)size));
    octopus_ok(o, "%d", (int)octopus_int(octopus_get(reply, "status"), 0));
    octopus_with_result(o, result);
}

static void secret(octopus *o) {
    const char *value = octopus_secret_get(o, "api_token");
    if (value)
        octopus_ok(o, "The secret has %d bytes.", (int)strlen(value));
    else
        octopus_fail_with(o, "No secret: %s", o->error.message);
}

static void artifact(octopus *o) {
    if (octopus_artifact_put(o, "note.txt", "text/plain", "h\xc3\xa4", 3) && octopus_artifact_put(o, "raw.bin", NULL, "\xff\0\1", 3) &&
        octopus_artifact_append(o, "raw.bin", "more", 4))
        octopus_ok(o, "Put.");
    else
        octopus_fail_with(o, "Not put: %s", o->error.message);
}

static void outputs(octopus *o) {
    octopus_json *rows = octopus_array();
    octopus_set(octopus_add(rows, octopus_object()), "a", octopus_integer(1));
    octopus_ok(o, "Made.");
    octopus_with_db(o, "rows", rows);
    octopus_with_cache(o, "c", octopus_bool(true), 60);
    octopus_with_file(o, "t.txt", "h\xc3\xa4", 3);
    octopus_with_file(o, "b.bin", "\xff\0", 2);
    octopus_with_metric(o, "a", 1.5);
    octopus_with_metric(o, "b", -2);
    octopus_with_metric(o, "c", 1e21);
    octopus_with_metric(o, "d", 1e-7);
    octopus_with_metric(o, "e", 0.1);
    octopus_with_metric(o, "f", 123456789.25);
}

static void fail(octopus *o) {
    octopus_fail(o, 429, "Too many.");
    octopus_with_code(o, "busy");
    octopus_with_retry(o, true, 30);
}

static void levels(octopus *o) {
    octopus_log(o, "one");
    octopus_debug(o, "two");
    octopus_warn(o, "three");
    octopus_log_error(o, "four");
    octopus_ok(o, "Said.");
}

static void cancelled(octopus *o) {
    if (octopus_sleep(o, 0.01) && !octopus_cancelled(o)) {
        octopus_ok(o, "Slept.");
        return;
    }
    octopus_fail(o, 499, "Stopped.");
    octopus_with_code(o, "cancelled");
}

static void about(octopus *o) {
    octopus_json *result = octopus_object();
    octopus_set(result, "id", octopus_get(o->execution, "id"));
    octopus_set(result, "attempt", octopus_get(o->execution, "attempt"));
    octopus_set(result, "region", octopus_get(o->config, "region"));
    octopus_set(result, "user", octopus_get(o->user, "name"));
    octopus_set(result, "timezone", octopus_get(octopus_get(octopus_get(o->user, "params"), "preferences"), "timezone"));
    octopus_ok(o, "%s", o->action);
    octopus_with_result(o, result);
}

int main(void) {
    octopus_action actions[] = {{"about", about}, {"artifact", artifact}, {"cancelled", cancelled}, {"echo", echo}, {"fail", fail}, {"fetch", fetch},
                                {"greet", greet}, {"levels", levels}, {"outputs", outputs}, {"secret", secret}, {"state", state}, {0}};
    return octopus_main(actions);
}
