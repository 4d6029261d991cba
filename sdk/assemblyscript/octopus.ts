// octopus.ts is what a plugin written in AssemblyScript needs: it reads the
// request, calls the function of the asked action, talks to the host, and
// prints the response. It is one file without dependencies; copy it into your
// own folder.
//
//     import { Context, Response, main, ok } from "./octopus";
//
//     function greet(ctx: Context): Response {
//       const name = ctx.params.get("name").text("you");
//       ctx.log(`greeting ${name}`);
//       return ok(`Hello, ${name}.`);
//     }
//
//     main(["greet"], [greet]);
//
// Build it with
//
//     asc index.ts --outFile plugin.wasm -O3 --shrinkLevel 1 --runtime incremental --exportStart _start --use abort=octopus/abort
//
// AssemblyScript has no exceptions: a host call that fails answers with what
// it would for nothing, and ctx.error says why until the next call.

// ---- JSON ----

export enum Type { Missing, Null, False, True, Number, String, Array, Object }

/** One JSON value. Reading what is not there gives a value of type Missing. */
export class Json {
  type: Type = Type.Missing;
  /** A string, or a number as it was written. */
  value: string = "";
  keys: string[] = [];
  items: Json[] = [];

  static of(type: Type, value: string = ""): Json {
    const j = new Json();
    j.type = type;
    j.value = value;
    return j;
  }
  static null(): Json { return Json.of(Type.Null); }
  static bool(yes: bool): Json { return Json.of(yes ? Type.True : Type.False); }
  static string(text: string): Json { return Json.of(Type.String, text); }
  static integer(n: i64): Json { return Json.of(Type.Number, n.toString()); }
  /** What JSON cannot write, infinities and NaN, is null. */
  static number(n: f64): Json {
    if (!isFinite(n)) return Json.null();
    return <f64>(<i64>n) == n && Math.abs(n) < 1e15 ? Json.integer(<i64>n) : Json.of(Type.Number, n.toString());
  }
  static array(): Json { return Json.of(Type.Array); }
  static object(): Json { return Json.of(Type.Object); }

  /** Whether there is a value. */
  get found(): bool { return this.type != Type.Missing; }
  get length(): i32 { return this.items.length; }

  /** A member of an object. */
  get(key: string): Json {
    for (let i = 0; i < this.keys.length; i++) {
      if (this.keys[i] == key) return this.items[i];
    }
    return new Json();
  }
  /** An element of an array. */
  at(i: i32): Json { return this.type == Type.Array && i >= 0 && i < this.items.length ? this.items[i] : new Json(); }

  text(otherwise: string = ""): string { return this.type == Type.String ? this.value : otherwise; }
  float(otherwise: f64 = 0): f64 { return this.type == Type.Number ? parseFloat(this.value) : otherwise; }
  /** A whole number; others are cut. */
  int(otherwise: i64 = 0): i64 {
    if (this.type != Type.Number) return otherwise;
    const plain = !this.value.includes(".") && !this.value.includes("e") && !this.value.includes("E");
    return plain ? I64.parseInt(this.value) : <i64>parseFloat(this.value);
  }
  bool(otherwise: bool = false): bool { return this.type == Type.True || (this.type != Type.False && otherwise); }

  /** Puts a member into an object, in place of one that has its key. */
  set(key: string, value: Json): Json {
    for (let i = 0; i < this.keys.length; i++) {
      if (this.keys[i] == key) {
        this.items[i] = value;
        return this;
      }
    }
    this.keys.push(key);
    this.items.push(value);
    return this;
  }
  /** Puts an element at the end of an array. */
  add(value: Json): Json {
    this.items.push(value);
    return this;
  }

  toString(): string {
    const out: string[] = [];
    this.write(out);
    return out.join("");
  }

  private write(out: string[]): void {
    switch (this.type) {
      case Type.False: out.push("false"); break;
      case Type.True: out.push("true"); break;
      case Type.Number: out.push(this.value); break;
      case Type.String: quote(this.value, out); break;
      case Type.Array:
      case Type.Object: {
        const members = this.type == Type.Object;
        out.push(members ? "{" : "[");
        for (let i = 0; i < this.items.length; i++) {
          if (i > 0) out.push(",");
          if (members) {
            quote(this.keys[i], out);
            out.push(":");
          }
          this.items[i].write(out);
        }
        out.push(members ? "}" : "]");
        break;
      }
      default: out.push("null");
    }
  }
}

/** Quotes a string; half of a surrogate pair becomes U+FFFD. */
function quote(text: string, out: string[]): void {
  out.push('"');
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    let instead = "";
    if (c == 0x22 || c == 0x5c) instead = "\\" + String.fromCharCode(c);
    else if (c < 0x20) instead = "\\u00" + (c < 16 ? "0" : "1") + (c & 15).toString(16);
    else if (c >= 0xd800 && c < 0xdc00) {
      const low = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (low >= 0xdc00 && low < 0xe000) i++;
      else instead = "\ufffd";
    } else if (c >= 0xdc00 && c < 0xe000) instead = "\ufffd";
    if (instead != "") {
      out.push(text.substring(from, i));
      out.push(instead);
      from = i + 1;
    }
  }
  out.push(text.substring(from));
  out.push('"');
}

/** Reads one JSON value; of type Missing where the text is not one. */
export function parse(text: string): Json {
  const p = new Parser(text);
  const j = p.read();
  p.space();
  return p.failed || p.at < text.length ? new Json() : j;
}

class Parser {
  at: i32 = 0;
  depth: i32 = 0;
  failed: bool = false;
  constructor(private source: string) {}

  private peek(): i32 { return this.at < this.source.length ? this.source.charCodeAt(this.at) : -1; }

  space(): void {
    for (let c = this.peek(); c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09; c = this.peek()) this.at++;
  }

  private eat(word: string): bool {
    if (!this.source.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private fail(): Json {
    this.failed = true;
    return new Json();
  }

  read(): Json {
    this.space();
    const c = this.peek();
    if (++this.depth > 200) return this.fail();
    let j: Json;
    if (c == 0x7b) j = this.list(Type.Object, 0x7d);
    else if (c == 0x5b) j = this.list(Type.Array, 0x5d);
    else if (c == 0x22) j = Json.string(this.string());
    else if (this.eat("null")) j = Json.null();
    else if (this.eat("true")) j = Json.bool(true);
    else if (this.eat("false")) j = Json.bool(false);
    else j = this.number();
    this.depth--;
    return this.failed ? new Json() : j;
  }

  private list(type: Type, close: i32): Json {
    const j = Json.of(type);
    this.at++;
    this.space();
    if (this.peek() == close) {
      this.at++;
      return j;
    }
    for (;;) {
      if (type == Type.Object) {
        this.space();
        if (this.peek() != 0x22) return this.fail();
        j.keys.push(this.string());
        this.space();
        if (!this.eat(":")) return this.fail();
      }
      j.items.push(this.read());
      this.space();
      if (this.failed) return j;
      if (this.eat(",")) continue;
      if (this.peek() != close) return this.fail();
      this.at++;
      return j;
    }
  }

  private string(): string {
    let out = "";
    let from = ++this.at;
    for (let c = this.peek(); c != 0x22; c = this.peek()) {
      if (c < 0x20) {
        this.fail();
        return "";
      }
      this.at++;
      if (c == 0x5c) {
        out += this.source.substring(from, this.at - 1) + this.escape();
        from = this.at;
      }
    }
    return out + this.source.substring(from, this.at++);
  }

  private escape(): string {
    const c = this.peek();
    this.at++;
    const known = "\"\\/bfnrt".indexOf(String.fromCharCode(c));
    if (c >= 0 && known >= 0) return "\"\\/\b\f\n\r\t".charAt(known);
    let code = 0;
    for (let i = 0; i < 4; i++) {
      const h = this.peek();
      const d = h >= 0x30 && h <= 0x39 ? h - 0x30 : (h | 0x20) >= 0x61 && (h | 0x20) <= 0x66 ? (h | 0x20) - 0x57 : -1;
      if (c != 0x75 || d < 0) {
        this.fail();
        return "";
      }
      code = (code << 4) | d;
      this.at++;
    }
    return String.fromCharCode(code);
  }

  private digits(): bool {
    const from = this.at;
    for (let c = this.peek(); c >= 0x30 && c <= 0x39; c = this.peek()) this.at++;
    return this.at > from;
  }

  private number(): Json {
    const from = this.at;
    this.eat("-");
    if (!this.eat("0") && !this.digits()) return this.fail();
    if (this.eat(".") && !this.digits()) return this.fail();
    if (this.eat("e") || this.eat("E")) {
      if (!this.eat("+")) this.eat("-");
      if (!this.digits()) return this.fail();
    }
    return Json.of(Type.Number, this.source.substring(from, this.at));
  }
}

// ---- Bytes ----

/** The UTF-8 of a text. */
export function bytes(text: string): Uint8Array { return Uint8Array.wrap(String.UTF8.encode(text)); }

/** Whether bytes are UTF-8. */
export function isText(data: Uint8Array): bool {
  for (let i = 0; i < data.length; ) {
    const c = data[i];
    const n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || i + n > data.length) return false;
    for (let k = 1; k < n; k++) {
      if ((data[i + k] & 0xc0) != 0x80) return false;
    }
    if (n > 2) {
      const d = data[i + 1];
      if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f)) return false;
    }
    i += n;
  }
  return true;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function base64(data: Uint8Array): string {
  const out: string[] = [];
  for (let i = 0; i < data.length; i += 3) {
    const left = data.length - i;
    const v = (<u32>data[i] << 16) | (left > 1 ? <u32>data[i + 1] << 8 : 0) | (left > 2 ? <u32>data[i + 2] : 0);
    out.push(DIGITS.charAt(v >> 18) + DIGITS.charAt((v >> 12) & 63) + (left > 1 ? DIGITS.charAt((v >> 6) & 63) : "=") + (left > 2 ? DIGITS.charAt(v & 63) : "="));
  }
  return out.join("");
}

/** Decodes base64; empty where it is none. */
export function unbase64(text: string): Uint8Array {
  const pad = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const out = new Uint8Array(text.length % 4 == 0 ? (text.length / 4) * 3 - pad : 0);
  for (let i = 0, o = 0, v: u32 = 0; i < text.length && out.length > 0; i++) {
    const d = i >= text.length - pad ? 0 : DIGITS.indexOf(text.charAt(i));
    if (d < 0) return new Uint8Array(0);
    v = (v << 6) | d;
    if (i % 4 < 3) continue;
    for (let shift = 16; shift >= 0 && o < out.length; shift -= 8) out[o++] = <u8>(v >> shift);
  }
  return out;
}

// ---- The host ----

// @ts-ignore: decorator
@external("octopus_v1", "call")
declare function hostCall(op: usize, opSize: i32, request: usize, size: i32): i32;
// @ts-ignore: decorator
@external("octopus_v1", "read")
declare function hostRead(reply: usize, room: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(fd: i32, iovs: usize, count: i32, done: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fdWrite(fd: i32, iovs: usize, count: i32, done: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function procExit(code: i32): void;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "poll_oneoff")
declare function pollOneoff(subscriptions: usize, events: usize, count: i32, done: usize): i32;

/** Takes the place of the import env.abort: says what failed, and ends. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message == null ? "aborted" : message;
  const where = file == null ? "?" : file;
  print(2, `${what} at ${where}:${line}:${column}\n`);
  procExit(1);
  unreachable();
}

function print(fd: i32, text: string): void {
  const data = String.UTF8.encode(text);
  const io = new StaticArray<u32>(3);
  for (let at: u32 = 0; at < <u32>data.byteLength; at += io[2]) {
    io[0] = <u32>changetype<usize>(data) + at;
    io[1] = <u32>data.byteLength - at;
    if (fdWrite(fd, changetype<usize>(io), 1, changetype<usize>(io) + 8) != 0 || io[2] == 0) procExit(1);
  }
}

function readAll(): string {
  let all = new ArrayBuffer(65536);
  let size: u32 = 0;
  const io = new StaticArray<u32>(3);
  for (;;) {
    if (size == <u32>all.byteLength) {
      const more = new ArrayBuffer(2 * all.byteLength);
      memory.copy(changetype<usize>(more), changetype<usize>(all), size);
      all = more;
    }
    io[0] = <u32>changetype<usize>(all) + size;
    io[1] = <u32>all.byteLength - size;
    if (fdRead(0, changetype<usize>(io), 1, changetype<usize>(io) + 8) != 0 || io[2] == 0) break;
    size += io[2];
  }
  return String.UTF8.decode(all.slice(0, size));
}

/**
 * An operation that the host refused or could not carry out. code is one of denied, unsupported_op, invalid_request,
 * timeout, cancelled, dns, refused, unreachable, tls, protocol, not_found, too_large, quota, rate_limited, unavailable,
 * internal; empty where nothing failed.
 */
export class HostError {
  constructor(public op: string = "", public code: string = "", public message: string = "", public retryable: bool = false) {}
  get failed(): bool { return this.code != ""; }
}

/** Names the codes of refusals without a reply; the numbers are WASI's. */
function errno(n: i32): string {
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
    default: return "internal";
  }
}

/** A request for fetch; zero values mean GET, 10 s and 10 MiB. */
export class HttpRequest {
  method: string = "GET";
  headers: Json = Json.object();
  body: Uint8Array = new Uint8Array(0);
  timeoutSeconds: f64 = 0;
  maxBytes: i64 = 0;
  followRedirects: bool = true;
  constructor(public url: string) {}
}

/** Its answer. reply has also truncated, duration_ms, remote_addr, final_url, redirects and tls. */
export class HttpResponse {
  constructor(public reply: Json) {}
  get status(): i32 { return <i32>this.reply.get("status").int(); }
  header(name: string): string { return this.reply.get("headers").get(name).text(); }
  /** The body, where it is text. */
  text(): string { return this.reply.get("body").text(); }
  bytes(): Uint8Array {
    const encoded = this.reply.get("body_base64");
    return encoded.found ? unbase64(encoded.text()) : bytes(this.text());
  }
}

/** One request and the way to the host. */
export class Context {
  /** Of the last host call. */
  error: HostError = new HostError();
  constructor(public request: Json) {}

  get action(): string { return this.request.get("action").text(); }
  get params(): Json { return this.request.get("params"); }
  get config(): Json { return this.request.get("config"); }
  get execution(): Json { return this.request.get("execution"); }
  get user(): Json { return this.request.get("user"); }

  /** Carries out any host operation. What failed is in error; the reply is then of type Missing. */
  call(op: string, request: Json): Json {
    const name = String.UTF8.encode(op);
    const body = String.UTF8.encode(request.toString());
    const n = hostCall(changetype<usize>(name), name.byteLength, changetype<usize>(body), body.byteLength);
    const buffer = new ArrayBuffer(n < 0 ? 16384 : n);
    const got = hostRead(changetype<usize>(buffer), buffer.byteLength);
    const reply = parse(String.UTF8.decode(buffer.slice(0, max(0, got))));
    const failed = reply.get("error");
    if (failed.type == Type.Object) {
      this.error = new HostError(op, failed.get("code").text("internal"), failed.get("message").text(), failed.get("retryable").bool());
    } else if (n < 0) this.error = new HostError(op, errno(-n), `the host refused ${op} (errno ${-n})`);
    else if (!reply.found) this.error = new HostError(op, "internal", `the host answered ${op} with invalid JSON`);
    else {
      this.error = new HostError();
      return reply;
    }
    return new Json();
  }

  private aside(op: string, request: Json): Json {
    const before = this.error;
    const reply = this.call(op, request);
    this.error = before;
    return reply;
  }

  private say(level: string, message: string): void {
    const reply = this.aside("log", Json.object().set("level", Json.string(level)).set("message", Json.string(message)));
    if (!reply.found) print(2, message + "\n");
  }

  /** Writes a line to the execution's log, live. */
  log(message: string): void { this.say("info", message); }
  debug(message: string): void { this.say("debug", message); }
  warn(message: string): void { this.say("warn", message); }
  logError(message: string): void { this.say("error", message); }

  /** Reports how far the work is, from 0 to 1, and what is done now. */
  progress(fraction: f64, message: string = ""): void {
    const note = Json.object().set("fraction", Json.number(max(0, min(1, fraction))));
    if (message != "") note.set("message", Json.string(message));
    this.aside("progress", note);
  }

  /** Whether somebody asked the execution to end; 10 seconds later it is killed. */
  cancelled(): bool { return this.aside("cancelled", Json.object()).get("cancelled").bool(); }

  /** Waits; false as soon as the execution is cancelled. */
  sleep(seconds: f64): bool {
    for (; !this.cancelled(); seconds -= 0.25) {
      if (!(seconds > 0)) return true;
      // One subscription: userdata, tag 0 (clock), the monotonic clock, how long, how exact, no flags.
      const wish = new StaticArray<u64>(6);
      const event = new StaticArray<u64>(5);
      wish[2] = 1;
      wish[3] = <u64>(min(seconds, 0.25) * 1e9);
      pollOneoff(changetype<usize>(wish), changetype<usize>(event), 1, changetype<usize>(event) + 32);
    }
    return false;
  }

  /** Makes an HTTP request through the host, which needs the capability http. */
  fetch(r: HttpRequest): HttpResponse {
    const q = Json.object().set("method", Json.string(r.method)).set("url", Json.string(r.url));
    if (r.headers.length > 0) q.set("headers", r.headers);
    if (r.body.length > 0) content(q, "body", "body_base64", r.body);
    if (r.timeoutSeconds > 0) q.set("timeout_seconds", Json.number(r.timeoutSeconds));
    if (r.maxBytes > 0) q.set("max_bytes", Json.integer(r.maxBytes));
    if (!r.followRedirects) q.set("follow_redirects", Json.bool(false));
    return new HttpResponse(this.call("http.fetch", q));
  }

  /** The plugin's durable store, which needs the capability kv; of type Missing where there is no such key. */
  kvGet(key: string): Json { return this.call("kv.get", Json.object().set("key", Json.string(key))).get("value"); }
  /** A ttl of 0 keeps a value for good. */
  kvSet(key: string, value: Json, ttlSeconds: i64 = 0): bool { return this.call("kv.set", entry("key", key, value, ttlSeconds)).found; }
  kvDelete(key: string): bool { return this.call("kv.delete", Json.object().set("key", Json.string(key))).found; }
  /** At most 1,000 keys, in order. */
  kvList(prefix: string = ""): Json { return this.call("kv.list", Json.object().set("prefix", Json.string(prefix))).get("keys"); }

  /** The server's cache; names that begin with broadcast/ read what administrators broadcast. */
  cacheGet(name: string): Json { return this.call("cache.get", Json.object().set("name", Json.string(name))).get("value"); }
  cacheSet(name: string, value: Json, ttlSeconds: i64 = 0): bool { return this.call("cache.set", entry("name", name, value, ttlSeconds)).found; }

  /** Needs the capability secrets, with expose: value. */
  secretGet(name: string): string { return this.call("secret.get", Json.object().set("name", Json.string(name))).get("value").text(); }

  /** Keeps a file with the execution. */
  artifactPut(name: string, data: Uint8Array, contentType: string = ""): bool {
    const q = Json.object().set("name", Json.string(name));
    if (contentType != "") q.set("content_type", Json.string(contentType));
    content(q, "body", "body_base64", data);
    return this.call("artifact.put", q).found;
  }
  /** Goes on with a file that artifactPut began, or begins one, so that it may be larger than one call. */
  artifactAppend(name: string, data: Uint8Array): bool {
    const q = Json.object().set("name", Json.string(name)).set("append", Json.bool(true));
    content(q, "body", "body_base64", data);
    return this.call("artifact.put", q).found;
  }

  /** A response for the last host call that failed: 403 denied, 504 timeout, 499 cancelled, 400, 501, else 502. */
  failWith(message: string): Response {
    const code = this.error.code;
    let status = code == "" ? 500 : 502;
    if (code == "denied") status = 403;
    else if (code == "timeout") status = 504;
    else if (code == "cancelled") status = 499;
    else if (code == "invalid_request") status = 400;
    else if (code == "unsupported_op") status = 501;
    return fail(status, message).withCode(code == "" ? "exception" : code);
  }
}

/** Puts text as it is, and other bytes as base64. */
function content(to: Json, textKey: string, base64Key: string, data: Uint8Array): void {
  if (isText(data)) to.set(textKey, Json.string(String.UTF8.decodeUnsafe(data.dataStart, data.length)));
  else to.set(base64Key, Json.string(base64(data)));
}

function entry(field: string, name: string, value: Json, ttlSeconds: i64): Json {
  const q = Json.object().set(field, Json.string(name)).set("value", value);
  return ttlSeconds > 0 ? q.set("ttl_seconds", Json.integer(ttlSeconds)) : q;
}

// ---- The response ----

/** What a plugin answers; each method returns it. */
export class Response {
  body: Json = Json.object();
  constructor(status: i32, message: string) {
    this.body.set("status_code", Json.integer(status)).set("message", Json.string(message));
  }

  private part(key: string, fresh: Json): Json {
    if (!this.body.get(key).found) this.body.set(key, fresh);
    return this.body.get(key);
  }

  /** The typed result, which the manifest's schema describes. */
  withResult(value: Json): Response {
    this.body.set("result", value);
    return this;
  }
  withMetric(name: string, value: f64): Response {
    this.part("metrics", Json.object()).set(name, Json.number(value));
    return this;
  }
  /** Names the failure for machines. */
  withCode(code: string): Response {
    this.part("error", Json.object()).set("code", Json.string(code));
    return this;
  }
  withRetry(retryable: bool, afterSeconds: i64 = 0): Response {
    const e = this.part("error", Json.object()).set("retryable", Json.bool(retryable));
    if (afterSeconds > 0) e.set("retry_after_seconds", Json.integer(afterSeconds));
    return this;
  }
  /** Stores a value with the execution as a named result. */
  withDB(name: string, value: Json): Response { return this.with(operation("db", name).set("value", value)); }
  /** Puts a value into the server's cache; a ttl of 0 is an hour. */
  withCache(name: string, value: Json, ttlSeconds: i64 = 0): Response {
    const op = operation("cache", name).set("value", value);
    if (ttlSeconds > 0) op.set("ttl_seconds", Json.integer(ttlSeconds));
    return this.with(op);
  }
  /** Writes a file into the task's own folder on the agent; the name is one path segment. */
  withFile(name: string, data: Uint8Array): Response {
    const op = operation("file", name);
    content(op, "value", "value", data);
    return this.with(op.set("encoding", Json.string(isText(data) ? "utf8" : "base64")));
  }
  private with(op: Json): Response {
    this.part("data", Json.array()).add(op);
    return this;
  }
}

function operation(type: string, name: string): Json {
  return Json.object().set("type", Json.string(type)).set("name", Json.string(name));
}

/** A 200 with a message. */
export function ok(message: string): Response { return new Response(200, message); }

/** A response with any status; 408, 425, 429 and 5xx may be retried. */
export function fail(status: i32, message: string): Response { return new Response(status, message); }

// ---- The program ----

/** Answers one request with the function that stands where the action's name does. */
export function serve(names: string[], actions: ((ctx: Context) => Response)[], request: string): string {
  const body = parse(request);
  if (body.type != Type.Object) return fail(400, "The request is not valid JSON.").withCode("invalid_request").body.toString();
  const ctx = new Context(body);
  const i = names.indexOf(ctx.action);
  if (i < 0) {
    return fail(404, `This plugin has no action "${ctx.action}", it has: ${names.join(", ")}.`).withCode("unknown_action").body.toString();
  }
  return actions[i](ctx).body.toString();
}

/** Serves the request on standard input. */
export function main(names: string[], actions: ((ctx: Context) => Response)[]): void {
  print(1, serve(names, actions, readAll()) + "\n");
}
