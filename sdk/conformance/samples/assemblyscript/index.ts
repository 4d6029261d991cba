// The sample of the conformance suite that is written in AssemblyScript.
import { Context, HttpRequest, Json, Response, bytes, fail as failed, main, ok } from "./octopus";

function greet(ctx: Context): Response {
  const name = ctx.params.get("name").text();
  const times = ctx.params.get("times").int(1);
  for (let i: i64 = 1; i <= times; i++) {
    ctx.log(`Hello, ${name}.`);
    ctx.progress(<f64>i / <f64>times, `${i} of ${times}`);
  }
  const before = ctx.kvGet("greeted/" + name);
  if (ctx.error.failed) return ctx.failWith("Not read: " + ctx.error.message);
  const total = before.int() + times;
  if (!ctx.kvSet("greeted/" + name, Json.integer(total))) return ctx.failWith("Not kept: " + ctx.error.message);
  const result = Json.object().set("name", Json.string(name)).set("times", Json.integer(times)).set("total", Json.integer(total));
  return ok(`Hello, ${name}.`).withResult(result).withMetric("greetings", <f64>times);
}

function echo(ctx: Context): Response { return ok("Echo.").withResult(ctx.params.get("value")); }

function state(ctx: Context): Response {
  ctx.kvSet("a", Json.object().set("n", Json.integer(1)), 60);
  const result = Json.object().set("before", ctx.kvGet("a")).set("keys", ctx.kvList());
  ctx.kvDelete("a");
  result.set("gone", Json.bool(!ctx.kvGet("a").found && !ctx.error.failed));
  ctx.cacheSet("c", Json.array().add(Json.integer(1)).add(Json.integer(2)));
  return ok("Kept.").withResult(result.set("cached", ctx.cacheGet("c")));
}

function fetch(ctx: Context): Response {
  const r = new HttpRequest(ctx.params.get("url").text());
  r.method = "POST";
  r.headers.set("X-Test", Json.string("1"));
  r.body = bytes(ctx.params.get("body").text());
  const reply = ctx.fetch(r);
  if (ctx.error.failed) return ctx.failWith("No answer: " + ctx.error.message);
  return ok(reply.status.toString()).withResult(Json.object().set("text", Json.string(reply.text())).set("bytes", Json.integer(reply.bytes().length)));
}

function secret(ctx: Context): Response {
  const value = ctx.secretGet("api_token");
  if (ctx.error.failed) return ctx.failWith("No secret: " + ctx.error.message);
  return ok(`The secret has ${bytes(value).length} bytes.`);
}

function binary(values: u8[]): Uint8Array {
  const b = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) b[i] = values[i];
  return b;
}

function artifact(ctx: Context): Response {
  const put = ctx.artifactPut("note.txt", bytes("hä"), "text/plain") && ctx.artifactPut("raw.bin", binary([0xff, 0, 1]));
  if (put && ctx.artifactAppend("raw.bin", bytes("more"))) return ok("Put.");
  return ctx.failWith("Not put: " + ctx.error.message);
}

function outputs(ctx: Context): Response {
  return ok("Made.")
    .withDB("rows", Json.array().add(Json.object().set("a", Json.integer(1))))
    .withCache("c", Json.bool(true), 60)
    .withFile("t.txt", bytes("hä"))
    .withFile("b.bin", binary([0xff, 0]))
    .withMetric("a", 1.5)
    .withMetric("b", -2)
    .withMetric("c", 1e21)
    .withMetric("d", 1e-7)
    .withMetric("e", 0.1)
    .withMetric("f", 123456789.25);
}

function fail(ctx: Context): Response { return failed(429, "Too many.").withCode("busy").withRetry(true, 30); }

function levels(ctx: Context): Response {
  ctx.log("one");
  ctx.debug("two");
  ctx.warn("three");
  ctx.logError("four");
  return ok("Said.");
}

function cancelled(ctx: Context): Response {
  if (!ctx.sleep(0.01) || ctx.cancelled()) return failed(499, "Stopped.").withCode("cancelled");
  return ok("Slept.");
}

function about(ctx: Context): Response {
  const result = Json.object()
    .set("id", ctx.execution.get("id"))
    .set("attempt", ctx.execution.get("attempt"))
    .set("region", ctx.config.get("region"))
    .set("user", ctx.user.get("name"))
    .set("timezone", ctx.user.get("params").get("preferences").get("timezone"));
  return ok(ctx.action).withResult(result);
}

main(
  ["about", "artifact", "cancelled", "echo", "fail", "fetch", "greet", "levels", "outputs", "secret", "state"],
  [about, artifact, cancelled, echo, fail, fetch, greet, levels, outputs, secret, state],
);
