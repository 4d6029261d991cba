// What a script plugin finds: the object "octopus", the console, and how its
// answer or its error becomes a response. engine.c evaluates this file and
// calls the function that it is, once for each execution.
(function (native) {
  "use strict";

  // The errors of host calls. code is one of denied, unsupported_op,
  // invalid_request, timeout, cancelled, dns, refused, unreachable, tls,
  // protocol, not_found, too_large, quota, rate_limited, unavailable, internal.
  class HostError extends Error {
    constructor(op, code, message, retryable, reply) {
      super(message);
      this.op = op;
      this.code = code;
      this.retryable = retryable === true;
      this.reply = reply;
    }
    get name() { return "HostError"; }
  }

  // Codes of refusals without a reply; the numbers are WASI's.
  const errnos = {
    1: "too_large", 2: "denied", 6: "rate_limited", 11: "cancelled", 21: "internal", 28: "invalid_request",
    29: "internal", 44: "not_found", 51: "quota", 52: "unsupported_op", 73: "timeout",
  };

  function call(op, request) {
    const text = native.call(String(op), JSON.stringify(request === undefined ? {} : request));
    if (typeof text === "number") {
      throw new HostError(op, errnos[text] || "internal", `the host refused ${op} (errno ${text})`);
    }
    let reply;
    try {
      reply = JSON.parse(text);
    } catch {
      throw new HostError(op, "internal", `the host answered ${op} with invalid JSON`);
    }
    if (reply && reply.error) {
      throw new HostError(op, reply.error.code, reply.error.message, reply.error.retryable, reply);
    }
    return reply;
  }

  // Text and bytes.

  function bytes(data) {
    if (typeof data === "string") return new Uint8Array(native.encode(data));
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw new TypeError("bytes must be a string, an ArrayBuffer or a Uint8Array");
  }

  const text = (data) => { const b = bytes(data); return native.decode(b.buffer, b.byteOffset, b.byteLength); };
  const base64 = (data) => { const b = bytes(data); return native.base64(b.buffer, b.byteOffset, b.byteLength); };
  const unbase64 = (encoded) => new Uint8Array(native.bytes(encoded));

  // The log.

  function log(level, words) {
    const message = words.map(show).join(" ");
    try {
      call("log", { level, message });
    } catch {
      native.print(message + "\n");
    }
  }

  function show(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value.name}: ${value.message}\n${value.stack || ""}`.trimEnd();
    if (typeof value !== "object" || value === null) return typeof value === "bigint" ? `${value}n` : String(value);
    try {
      return JSON.stringify(value);
    } catch (e) {
      return String(value); // it refers to itself
    }
  }

  globalThis.console = Object.freeze({
    log: (...words) => log("info", words),
    info: (...words) => log("info", words),
    debug: (...words) => log("debug", words),
    warn: (...words) => log("warn", words),
    error: (...words) => log("error", words),
  });

  // Responses.

  const seconds = (ttl) => (ttl > 0 ? { ttl_seconds: Math.floor(ttl) } : {});

  class Response {
    constructor(status, message) {
      this.status_code = status;
      this.message = String(message);
    }
    withResult(value) { this.result = value; return this; }
    withMetric(name, value) { this.metrics = { ...this.metrics, [name]: value }; return this; }
    withCode(code) { this.error = { ...this.error, code }; return this; }
    withRetry(retryable, after) {
      this.error = { ...this.error, retryable, ...(after > 0 ? { retry_after_seconds: Math.floor(after) } : {}) };
      return this;
    }
    withDB(name, value) { return this.#with({ type: "db", name, value }); }
    withCache(name, value, ttl) { return this.#with({ type: "cache", name, value, ...seconds(ttl) }); }
    withFile(name, content) {
      if (typeof content === "string") return this.#with({ type: "file", name, value: content, encoding: "utf8" });
      return this.#with({ type: "file", name, value: base64(content), encoding: "base64" });
    }
    #with(operation) { this.data = [...(this.data || []), operation]; return this; }
  }

  const statuses = { denied: 403, timeout: 504, cancelled: 499, invalid_request: 400, unsupported_op: 501 };

  function failWith(error, message) {
    const said = message === undefined ? error.message : message;
    if (!(error instanceof HostError)) return new Response(500, said).withCode("exception");
    return new Response(statuses[error.code] || 502, said).withCode(error.code);
  }

  // octopus, the host.

  class Answer {
    constructor({ bytes: size, ...reply }) { Object.assign(this, reply, { size }); }
    get ok() { return this.status >= 200 && this.status < 300; }
    bytes() { return this.body_base64 ? unbase64(this.body_base64) : bytes(this.body || ""); }
    text() { return this.body_base64 ? text(this.bytes()) : this.body || ""; }
    json() { return JSON.parse(this.text()); }
  }

  // payload puts text or bytes into a request's body or body_base64.
  function payload(body) {
    if (body === undefined || body === null) return {};
    return typeof body === "string" ? { body } : { body_base64: base64(body) };
  }

  async function fetch(url, options) {
    const { json, body, ...rest } = typeof url === "object" ? url : { url, ...options };
    const request = { ...rest, ...payload(json === undefined ? body : JSON.stringify(json)) };
    if (json !== undefined) {
      request.method = request.method || "POST";
      request.headers = { "Content-Type": "application/json", ...request.headers };
    }
    return new Answer(call("http.fetch", request));
  }

  const found = (reply) => (reply.found ? reply.value : undefined);
  const cancelled = () => {
    try {
      return call("cancelled").cancelled === true;
    } catch {
      return false;
    }
  };

  async function sleep(duration) {
    for (let left = duration * 1000; ; left -= 250) {
      if (cancelled()) return false;
      if (!(left > 0)) return true;
      native.sleep(Math.min(left, 250));
    }
  }

  function progress(fraction, message) {
    try {
      call("progress", { fraction: Math.min(1, Math.max(0, fraction)), ...(message === undefined ? {} : { message: String(message) }) });
    } catch {
      // a courtesy, never a reason to fail
    }
  }

  const octopus = Object.freeze({
    HostError,
    call: async (op, request) => call(op, request),
    log: (...words) => log("info", words),
    debug: (...words) => log("debug", words),
    warn: (...words) => log("warn", words),
    error: (...words) => log("error", words),
    progress,
    cancelled,
    sleep,
    ok: (message) => new Response(200, message),
    fail: (status, message) => new Response(status, message),
    failWith,
    http: Object.freeze({ fetch }),
    kv: Object.freeze({
      get: async (key) => found(call("kv.get", { key })),
      set: async (key, value, ttl) => void call("kv.set", { key, value, ...seconds(ttl) }),
      delete: async (key) => void call("kv.delete", { key }),
      list: async (prefix = "") => call("kv.list", { prefix }).keys || [],
    }),
    cache: Object.freeze({
      get: async (name) => found(call("cache.get", { name })),
      set: async (name, value, ttl) => void call("cache.set", { name, value, ...seconds(ttl) }),
    }),
    secret: Object.freeze({ get: async (name) => call("secret.get", { name }).value }),
    artifact: Object.freeze({
      put: async (name, content, type) =>
        call("artifact.put", { name, ...(type === undefined ? {} : { content_type: type }), ...payload(content) }),
      append: async (name, content) => call("artifact.put", { name, append: true, ...payload(content) }),
    }),
    tcp: Object.freeze({ probe: async (request) => call("tcp.probe", request) }),
    dns: Object.freeze({ lookup: async (name, type) => call("dns.lookup", typeof name === "object" ? name : { name, type }) }),
    host: Object.freeze({ info: async (...parts) => call("host.info", { parts }) }),
    bytes,
    text,
    base64,
    unbase64,
  });

  // The execution.

  // find takes the export of an action: check-all may be written checkAll.
  function find(exports, action) {
    const camel = action.replace(/[-_]([A-Za-z0-9])/g, (_, c) => c.toUpperCase());
    for (const name of [action, camel]) {
      if (Object.hasOwn(exports, name) && typeof exports[name] === "function") return exports[name];
    }
    return undefined;
  }

  async function run(exports, body) {
    let request;
    try {
      request = JSON.parse(body);
    } catch (e) {
      return JSON.stringify(new Response(400, `The request is not valid JSON: ${e.message}.`).withCode("invalid_request"));
    }
    const action = String(request.action || "");
    const handler = find(exports, action);
    if (!handler) {
      const names = Object.keys(exports).filter((name) => typeof exports[name] === "function").sort();
      const has = names.length > 0 ? `it has: ${names.join(", ")}` : "it exports no function";
      return JSON.stringify(new Response(404, `This plugin has no action "${action}", ${has}.`).withCode("unknown_action"));
    }
    const response = await handler({
      params: request.params || {}, config: request.config || {}, octopus, request,
      execution: request.execution || {}, user: request.user || {},
    });
    const wrong = notResponse(response);
    if (wrong) return JSON.stringify(new Response(502, `${action} returned ${wrong}.`).withCode("invalid_response"));
    return JSON.stringify(response);
  }

  // notResponse finds what JSON would hide; the host checks the rest.
  function notResponse(response) {
    if (response === undefined) return 'nothing; return an object such as {status_code: 200, message: "done"}';
    if (typeof response !== "object" || response === null || Array.isArray(response)) {
      return `${show(response)}, but a response is an object such as {status_code: 200, message: "done"}`;
    }
    if (!("status_code" in response)) return "an object without status_code; 200 means success";
    return "";
  }

  // broken is the response for what was thrown, with the place in the script.
  function broken(thrown) {
    const error = thrown instanceof Error;
    const stack = error ? String(thrown.stack || "") : "";
    const place = /plugin\.js:\d+(:\d+)?/.exec(stack);
    const what = (error ? `${thrown.name}: ${thrown.message}` : `it threw ${show(thrown)}`).slice(0, 4000);
    if (stack) log("error", [`${what}\n${stack.trimEnd().split("\n", 20).join("\n")}`]);
    const message = `${place ? place[0] : "plugin.js"}: ${what}`;
    const response = thrown instanceof HostError ? failWith(thrown, message) : new Response(500, message).withCode("exception");
    if (stack) response.error.details = { stack: stack.trim().split("\n", 20).map((line) => line.trim()) };
    return JSON.stringify(response);
  }

  return { run, broken };
})
