// The sample of the conformance suite that is written in Rust.
mod octopus;

use octopus::{fail as failed, fail_with, ok, Context, HostError, HttpRequest, Json, Response};

fn answer(what: &str, result: Result<Response, HostError>) -> Response {
    result.unwrap_or_else(|e| fail_with(&e, format!("{}: {}", what, e)))
}

fn greet(ctx: &mut Context) -> Response {
    let name = ctx.params().get("name").text_or("").to_string();
    let times = ctx.params().get("times").int().unwrap_or(1);
    for i in 1..=times {
        ctx.log(&format!("Hello, {}.", name));
        ctx.progress(i as f64 / times as f64, &format!("{} of {}", i, times));
    }
    let count = || {
        let key = format!("greeted/{}", name);
        let total = times + ctx.kv_get(&key)?.and_then(|v| v.int()).unwrap_or(0);
        ctx.kv_set(&key, total, 0)?;
        let result = Json::object().with("name", name.as_str()).with("times", times).with("total", total);
        Ok(ok(format!("Hello, {}.", name)).with_result(result).with_metric("greetings", times as f64))
    };
    answer("Not kept", count())
}

fn echo(ctx: &mut Context) -> Response {
    ok("Echo.").with_result(ctx.params().get("value"))
}

fn state(ctx: &mut Context) -> Response {
    let all = || {
        ctx.kv_set("a", Json::object().with("n", 1), 60)?;
        let before = ctx.kv_get("a")?;
        let keys = ctx.kv_list("")?;
        ctx.kv_delete("a")?;
        let gone = ctx.kv_get("a")?.is_none();
        ctx.cache_set("c", vec![1, 2], 0)?;
        let result = Json::object().with("before", before).with("keys", keys).with("gone", gone).with("cached", ctx.cache_get("c")?);
        Ok(ok("Kept.").with_result(result))
    };
    answer("Not kept", all())
}

fn fetch(ctx: &mut Context) -> Response {
    let request = HttpRequest {
        method: "POST",
        url: ctx.params().get("url").text_or(""),
        headers: &[("X-Test", "1")],
        body: ctx.params().get("body").text_or("").as_bytes(),
        ..HttpRequest::default()
    };
    let reply = ctx.fetch(request).map(|r| {
        let result = Json::object().with("text", r.text().unwrap_or("")).with("bytes", r.body.len());
        ok(r.status.to_string()).with_result(result)
    });
    answer("No answer", reply)
}

fn secret(ctx: &mut Context) -> Response {
    answer("No secret", ctx.secret_get("api_token").map(|v| ok(format!("The secret has {} bytes.", v.len()))))
}

fn artifact(ctx: &mut Context) -> Response {
    let put = ctx.artifact_put("note.txt", "text/plain", "hä".as_bytes()).and_then(|_| ctx.artifact_put("raw.bin", "", &[0xff, 0, 1]));
    let put = put.and_then(|_| ctx.artifact_append("raw.bin", b"more"));
    answer("Not put", put.map(|_| ok("Put.")))
}

fn outputs(_: &mut Context) -> Response {
    ok("Made.")
        .with_db("rows", vec![Json::object().with("a", 1)])
        .with_cache("c", true, 60)
        .with_file("t.txt", "hä".as_bytes())
        .with_file("b.bin", &[0xff, 0])
        .with_metric("a", 1.5)
        .with_metric("b", -2.0)
        .with_metric("c", 1e21)
        .with_metric("d", 1e-7)
        .with_metric("e", 0.1)
        .with_metric("f", 123456789.25)
}

fn fail(_: &mut Context) -> Response {
    failed(429, "Too many.").with_code("busy").with_retry(true, 30)
}

fn levels(ctx: &mut Context) -> Response {
    ctx.log("one");
    ctx.debug("two");
    ctx.warn("three");
    ctx.error("four");
    ok("Said.")
}

fn cancelled(ctx: &mut Context) -> Response {
    if !ctx.sleep(0.01) || ctx.cancelled() {
        return failed(499, "Stopped.").with_code("cancelled");
    }
    ok("Slept.")
}

fn about(ctx: &mut Context) -> Response {
    let result = Json::object()
        .with("id", ctx.execution().get("id"))
        .with("attempt", ctx.execution().get("attempt"))
        .with("region", ctx.config().get("region"))
        .with("user", ctx.user().get("name"))
        .with("timezone", ctx.user().get("params").get("preferences").get("timezone"));
    ok(ctx.action()).with_result(result)
}

fn main() {
    octopus::run(&[
        ("about", about),
        ("artifact", artifact),
        ("cancelled", cancelled),
        ("echo", echo),
        ("fail", fail),
        ("fetch", fetch),
        ("greet", greet),
        ("levels", levels),
        ("outputs", outputs),
        ("secret", secret),
        ("state", state),
    ]);
}
