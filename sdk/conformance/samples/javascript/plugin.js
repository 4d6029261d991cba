// The sample of the conformance suite that is written in JavaScript.

export async function greet({ params: { name, times }, octopus }) {
  for (let i = 1; i <= times; i++) {
    console.log(`Hello, ${name}.`);
    octopus.progress(i / times, `${i} of ${times}`);
  }
  const total = ((await octopus.kv.get("greeted/" + name)) || 0) + times;
  await octopus.kv.set("greeted/" + name, total);
  return octopus.ok(`Hello, ${name}.`).withResult({ name, times, total }).withMetric("greetings", times);
}

export const echo = ({ params, octopus }) => octopus.ok("Echo.").withResult(params.value);

export async function state({ octopus: { kv, cache, ok } }) {
  await kv.set("a", { n: 1 }, 60);
  const before = await kv.get("a");
  const keys = await kv.list();
  await kv.delete("a");
  const gone = (await kv.get("a")) === undefined;
  await cache.set("c", [1, 2]);
  return ok("Kept.").withResult({ before, keys, gone, cached: await cache.get("c") });
}

export async function fetch({ params, octopus }) {
  try {
    const r = await octopus.http.fetch(params.url, { method: "POST", headers: { "X-Test": "1" }, body: params.body });
    return octopus.ok(`${r.status}`).withResult({ text: r.body_base64 ? "" : r.text(), bytes: r.bytes().length });
  } catch (e) {
    return octopus.failWith(e, `No answer: ${e.message}`);
  }
}

export async function secret({ octopus }) {
  try {
    const value = await octopus.secret.get("api_token");
    return octopus.ok(`The secret has ${octopus.bytes(value).length} bytes.`);
  } catch (e) {
    return octopus.failWith(e, `No secret: ${e.message}`);
  }
}

export async function artifact({ octopus }) {
  try {
    await octopus.artifact.put("note.txt", "hä", "text/plain");
    await octopus.artifact.put("raw.bin", new Uint8Array([0xff, 0, 1]));
    await octopus.artifact.append("raw.bin", "more");
  } catch (e) {
    return octopus.failWith(e, `Not put: ${e.message}`);
  }
  return octopus.ok("Put.");
}

export const outputs = ({ octopus }) =>
  octopus.ok("Made.").withDB("rows", [{ a: 1 }]).withCache("c", true, 60).withFile("t.txt", "hä")
    .withFile("b.bin", new Uint8Array([0xff, 0])).withMetric("a", 1.5).withMetric("b", -2)
    .withMetric("c", 1e21).withMetric("d", 1e-7).withMetric("e", 0.1).withMetric("f", 123456789.25);

export const fail = ({ octopus }) => octopus.fail(429, "Too many.").withCode("busy").withRetry(true, 30);

export function levels({ octopus }) {
  octopus.log("one");
  octopus.debug("two");
  octopus.warn("three");
  octopus.error("four");
  return octopus.ok("Said.");
}

export async function cancelled({ octopus }) {
  if (!(await octopus.sleep(0.01)) || octopus.cancelled()) {
    return octopus.fail(499, "Stopped.").withCode("cancelled");
  }
  return octopus.ok("Slept.");
}

export const about = ({ config, execution, user, request, octopus }) =>
  octopus.ok(request.action).withResult({
    id: execution.id, attempt: execution.attempt, region: config.region, user: user.name, timezone: user.params.preferences.timezone,
  });
