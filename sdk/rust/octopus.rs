//! octopus.rs is what a plugin written in Rust needs: it reads the request,
//! calls the function of the asked action, talks to the host, and prints the
//! response. It is one file that uses only the standard library; copy it into
//! your own folder. Rust 1.63 or newer will do.
//!
//!     mod octopus;
//!     use octopus::{ok, Context, Response};
//!
//!     fn greet(ctx: &mut Context) -> Response {
//!         let name = ctx.params().get("name").text_or("you").to_string();
//!         ctx.log(&format!("greeting {}", name));
//!         ok(format!("Hello, {}.", name))
//!     }
//!
//!     fn main() {
//!         octopus::run(&[("greet", greet)]);
//!     }
//!
//! Build it with octopus plugins build, or
//!
//!     rustc --edition 2021 -O --target wasm32-wasip1 -C panic=abort -C lto -o plugin.wasm main.rs
//!
//! (wasm32-wasi before Rust 1.78). Built natively each host call answers
//! "unsupported_op" and logs go to standard error.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::io::{Read, Write as _};

// ---- JSON ----

/// One JSON value. Numbers stay as they were written; objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

static NULL: Json = Json::Null;

impl Json {
    pub fn object() -> Json {
        Json::Object(Vec::new())
    }

    /// A member of an object; Null where there is none.
    pub fn get(&self, key: &str) -> &Json {
        match self {
            Json::Object(members) => members.iter().find(|(k, _)| k == key).map_or(&NULL, |(_, v)| v),
            _ => &NULL,
        }
    }
    /// An element of an array; Null beyond its end.
    pub fn at(&self, i: usize) -> &Json {
        match self {
            Json::Array(items) => items.get(i).unwrap_or(&NULL),
            _ => &NULL,
        }
    }
    pub fn is_null(&self) -> bool {
        *self == Json::Null
    }
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::String(s) => Some(s),
            _ => None,
        }
    }
    pub fn text_or<'a>(&'a self, otherwise: &'a str) -> &'a str {
        self.text().unwrap_or(otherwise)
    }
    pub fn float(&self) -> Option<f64> {
        match self {
            Json::Number(n) => n.parse().ok(),
            _ => None,
        }
    }
    /// A whole number of 64 bits; others are cut.
    pub fn int(&self) -> Option<i64> {
        match self {
            Json::Number(n) => n.parse().ok().or_else(|| n.parse::<f64>().ok().map(|f| f as i64)),
            _ => None,
        }
    }
    pub fn bool(&self) -> Option<bool> {
        match self {
            Json::Bool(b) => Some(*b),
            _ => None,
        }
    }
    /// Puts a member into an object, in place of one that has its key.
    pub fn set(&mut self, key: &str, value: impl Into<Json>) -> &mut Json {
        if let Json::Object(members) = self {
            let value = value.into();
            match members.iter_mut().find(|(k, _)| k == key) {
                Some(member) => member.1 = value,
                None => members.push((key.to_string(), value)),
            }
        }
        self
    }
    /// The same, for building a value in one expression.
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Json {
        self.set(key, value);
        self
    }

    /// Reads one JSON value; None where the text is not one.
    pub fn parse(text: &str) -> Option<Json> {
        let mut p = Parser { text, at: 0, depth: 0 };
        let value = p.value()?;
        p.space();
        (p.at == text.len()).then(|| value)
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Number(n) => out.push_str(n),
            Json::String(s) => quote(s, out),
            Json::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (i, (key, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

impl From<&str> for Json {
    fn from(s: &str) -> Json {
        Json::String(s.to_string())
    }
}
impl From<String> for Json {
    fn from(s: String) -> Json {
        Json::String(s)
    }
}
impl From<bool> for Json {
    fn from(b: bool) -> Json {
        Json::Bool(b)
    }
}
impl From<i64> for Json {
    fn from(n: i64) -> Json {
        Json::Number(n.to_string())
    }
}
impl From<i32> for Json {
    fn from(n: i32) -> Json {
        Json::Number(n.to_string())
    }
}
impl From<usize> for Json {
    fn from(n: usize) -> Json {
        Json::Number(n.to_string())
    }
}
impl From<f64> for Json {
    /// What JSON cannot write, infinities and NaN, is null.
    fn from(n: f64) -> Json {
        if n.is_finite() {
            Json::Number(format!("{:e}", n).replace("e0", ""))
        } else {
            Json::Null
        }
    }
}
impl From<&Json> for Json {
    fn from(v: &Json) -> Json {
        v.clone()
    }
}
impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Json {
        Json::Array(items.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(v: Option<T>) -> Json {
        v.map_or(Json::Null, Into::into)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        *self.text.as_bytes().get(self.at).unwrap_or(&0)
    }
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }
    fn eat(&mut self, word: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        self.depth += 1;
        if self.depth > 200 {
            return None;
        }
        let value = match self.peek() {
            b'{' => {
                let mut members = Vec::new();
                self.list('}', |p| {
                    p.space();
                    let key = p.string()?;
                    p.space();
                    if !p.eat(":") {
                        return None;
                    }
                    members.push((key, p.value()?));
                    Some(())
                })?;
                Json::Object(members)
            }
            b'[' => {
                let mut items = Vec::new();
                self.list(']', |p| {
                    items.push(p.value()?);
                    Some(())
                })?;
                Json::Array(items)
            }
            b'"' => Json::String(self.string()?),
            _ if self.eat("null") => Json::Null,
            _ if self.eat("true") => Json::Bool(true),
            _ if self.eat("false") => Json::Bool(false),
            _ => self.number()?,
        };
        self.depth -= 1;
        Some(value)
    }

    fn list(&mut self, close: char, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek() == close as u8 {
            self.at += 1;
            return Some(());
        }
        loop {
            each(self)?;
            self.space();
            if self.eat(",") {
                continue;
            }
            let closed = self.peek() == close as u8;
            self.at += 1;
            return closed.then(|| ());
        }
    }

    fn string(&mut self) -> Option<String> {
        if !self.eat("\"") {
            return None;
        }
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || (c as u32) < 0x20)?;
            out.push_str(&rest[..plain]);
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' => return Some(out),
                b'\\' => out.push(self.escape()?),
                _ => return None,
            }
        }
    }

    /// Reads what follows a backslash; half of a surrogate pair is U+FFFD.
    fn escape(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += 1;
        Some(match c {
            b'"' | b'\\' | b'/' => c as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let ahead = self.at;
                if (0xd800..0xdc00).contains(&high) && self.eat("\\u") {
                    match self.hex() {
                        Some(low) if (0xdc00..0xe000).contains(&low) => return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
                        _ => self.at = ahead,
                    }
                }
                char::from_u32(high).unwrap_or('\u{fffd}')
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|c| c.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).unwrap_or(0))
    }

    fn digits(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at > from
    }

    fn number(&mut self) -> Option<Json> {
        let from = self.at;
        self.eat("-");
        if !self.eat("0") && !self.digits() {
            return None;
        }
        if self.eat(".") && !self.digits() {
            return None;
        }
        if self.eat("e") || self.eat("E") {
            if !self.eat("+") {
                self.eat("-");
            }
            if !self.digits() {
                return None;
            }
        }
        Some(Json::Number(self.text[from..self.at].to_string()))
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn base64(data: &[u8]) -> String {
    let mut out = String::with_capacity((data.len() + 2) / 3 * 4);
    for three in data.chunks(3) {
        let byte = |i: usize| *three.get(i).unwrap_or(&0) as u32;
        let v = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            out.push(if i <= three.len() { DIGITS[(v >> (18 - 6 * i) & 63) as usize] as char } else { '=' });
        }
    }
    out
}

fn digit(c: u8) -> Option<u32> {
    Some(u32::from(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Decodes base64; None where it is none.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let digits = text.trim_end_matches('=');
    let pad = text.len() - digits.len();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for four in digits.as_bytes().chunks(4) {
        let mut v = 0;
        for i in 0..4 {
            let d = match four.get(i) {
                Some(c) => digit(*c)?,
                None => 0,
            };
            v = v << 6 | d;
        }
        out.extend_from_slice(&[(v >> 16) as u8, (v >> 8) as u8, v as u8]);
    }
    (pad <= 2).then(|| {
        out.truncate(text.len() / 4 * 3 - pad);
        out
    })
}

// ---- The host ----

/// An operation that the host refused or could not carry out. code is one of
/// denied, unsupported_op, invalid_request, timeout, cancelled, dns, refused,
/// unreachable, tls, protocol, not_found, too_large, quota, rate_limited,
/// unavailable, internal.
#[derive(Clone, Debug)]
pub struct HostError {
    pub op: String,
    pub code: String,
    pub message: String,
    pub retryable: bool,
}

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for HostError {}

#[cfg(target_arch = "wasm32")]
mod host {
    #[link(wasm_import_module = "octopus_v1")]
    extern "C" {
        fn call(op: *const u8, op_size: usize, request: *const u8, size: usize) -> i32;
        fn read(reply: *mut u8, room: usize) -> i32;
    }
    /// The length of the reply or a negative errno, and the reply.
    pub fn ask(op: &str, request: &str) -> (i32, Vec<u8>) {
        let n = unsafe { call(op.as_ptr(), op.len(), request.as_ptr(), request.len()) };
        let mut reply = vec![0; if n < 0 { 16384 } else { n as usize }];
        let got = unsafe { read(reply.as_mut_ptr(), reply.len()) };
        reply.truncate(got.max(0) as usize);
        (n, reply)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod host {
    pub fn ask(_: &str, _: &str) -> (i32, Vec<u8>) {
        (-52, Vec::new())
    }
}

/// Names the codes of refusals without a reply; the numbers are WASI's.
fn errno(n: i32) -> &'static str {
    match n {
        1 => "too_large",
        2 => "denied",
        6 => "rate_limited",
        11 => "cancelled",
        28 => "invalid_request",
        44 => "not_found",
        51 => "quota",
        52 => "unsupported_op",
        73 => "timeout",
        _ => "internal",
    }
}

/// A request for fetch; zero values mean GET, 10 s and 10 MiB.
#[derive(Default)]
pub struct HttpRequest<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    pub timeout_seconds: f64,
    pub max_bytes: i64,
    pub no_redirects: bool,
}

/// Its answer. reply has also truncated, duration_ms, remote_addr, final_url,
/// redirects and tls.
pub struct HttpResponse {
    pub status: i64,
    pub body: Vec<u8>,
    pub reply: Json,
}

impl HttpResponse {
    /// The body, where it is text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}

/// One request and the way to the host.
pub struct Context {
    pub request: Json,
}

impl Context {
    pub fn action(&self) -> &str {
        self.request.get("action").text_or("")
    }
    pub fn params(&self) -> &Json {
        self.request.get("params")
    }
    pub fn config(&self) -> &Json {
        self.request.get("config")
    }
    pub fn execution(&self) -> &Json {
        self.request.get("execution")
    }
    pub fn user(&self) -> &Json {
        self.request.get("user")
    }

    /// Carries out any host operation, also one that this file does not know.
    pub fn call(&self, op: &str, request: &Json) -> Result<Json, HostError> {
        let (n, raw) = host::ask(op, &request.to_string());
        let reply = std::str::from_utf8(&raw).ok().and_then(Json::parse);
        let failed = |code: &str, message: String, retryable| Err(HostError { op: op.into(), code: code.into(), message, retryable });
        match reply {
            Some(reply) if matches!(reply.get("error"), Json::Object(_)) => {
                let e = reply.get("error");
                failed(e.get("code").text_or("internal"), e.get("message").text_or("").into(), e.get("retryable").bool().unwrap_or(false))
            }
            _ if n < 0 => failed(errno(-n), format!("the host refused {} (errno {})", op, -n), false),
            None => failed("internal", format!("the host answered {} with invalid JSON", op), false),
            Some(reply) => Ok(reply),
        }
    }

    fn say(&self, level: &str, message: &str) {
        if self.call("log", &Json::object().with("level", level).with("message", message)).is_err() {
            eprintln!("{}", message);
        }
    }
    /// Writes a line to the execution's log, live.
    pub fn log(&self, message: &str) {
        self.say("info", message)
    }
    pub fn debug(&self, message: &str) {
        self.say("debug", message)
    }
    pub fn warn(&self, message: &str) {
        self.say("warn", message)
    }
    pub fn error(&self, message: &str) {
        self.say("error", message)
    }

    /// Reports how far the work is, from 0 to 1, and what is done now.
    pub fn progress(&self, fraction: f64, message: &str) {
        let mut note = Json::object().with("fraction", fraction.max(0.0).min(1.0));
        if !message.is_empty() {
            note.set("message", message);
        }
        let _ = self.call("progress", &note); // a courtesy, never a reason to fail
    }

    /// Whether somebody asked the execution to end; 10 seconds later it is killed.
    pub fn cancelled(&self) -> bool {
        self.call("cancelled", &Json::object()).map_or(false, |r| r.get("cancelled").bool() == Some(true))
    }

    /// Waits; false as soon as the execution is cancelled.
    pub fn sleep(&self, mut seconds: f64) -> bool {
        loop {
            if self.cancelled() {
                return false;
            }
            if !(seconds > 0.0) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_secs_f64(seconds.min(0.25)));
            seconds -= 0.25;
        }
    }

    /// Makes an HTTP request through the host, which needs the capability http.
    pub fn fetch(&self, r: HttpRequest) -> Result<HttpResponse, HostError> {
        let mut q = Json::object();
        if !r.method.is_empty() {
            q.set("method", r.method);
        }
        q.set("url", r.url);
        if !r.headers.is_empty() {
            q.set("headers", r.headers.iter().fold(Json::object(), |all, (name, value)| all.with(name, *value)));
        }
        if !r.body.is_empty() {
            content(&mut q, "body", "body_base64", r.body);
        }
        if r.timeout_seconds > 0.0 {
            q.set("timeout_seconds", r.timeout_seconds);
        }
        if r.max_bytes > 0 {
            q.set("max_bytes", r.max_bytes);
        }
        if r.no_redirects {
            q.set("follow_redirects", false);
        }
        let reply = self.call("http.fetch", &q)?;
        let body = match reply.get("body_base64").text().and_then(unbase64) {
            Some(bytes) => bytes,
            None => reply.get("body").text_or("").as_bytes().to_vec(),
        };
        Ok(HttpResponse { status: reply.get("status").int().unwrap_or(0), body, reply })
    }

    fn get(&self, op: &str, field: &str, name: &str) -> Result<Option<Json>, HostError> {
        let reply = self.call(op, &Json::object().with(field, name))?;
        Ok((reply.get("found").bool() == Some(true)).then(|| reply.get("value").clone()))
    }

    /// The plugin's durable store, which needs the capability kv.
    pub fn kv_get(&self, key: &str) -> Result<Option<Json>, HostError> {
        self.get("kv.get", "key", key)
    }
    /// A ttl of 0 keeps a value for good.
    pub fn kv_set(&self, key: &str, value: impl Into<Json>, ttl_seconds: i64) -> Result<(), HostError> {
        self.call("kv.set", &entry("key", key, value.into(), ttl_seconds)).map(|_| ())
    }
    pub fn kv_delete(&self, key: &str) -> Result<(), HostError> {
        self.call("kv.delete", &Json::object().with("key", key)).map(|_| ())
    }
    /// At most 1,000 keys, in order.
    pub fn kv_list(&self, prefix: &str) -> Result<Vec<String>, HostError> {
        let reply = self.call("kv.list", &Json::object().with("prefix", prefix))?;
        Ok(match reply.get("keys") {
            Json::Array(keys) => keys.iter().map(|k| k.text_or("").to_string()).collect(),
            _ => Vec::new(),
        })
    }

    /// The server's cache; names that begin with broadcast/ read what administrators broadcast.
    pub fn cache_get(&self, name: &str) -> Result<Option<Json>, HostError> {
        self.get("cache.get", "name", name)
    }
    /// A ttl of 0 is an hour.
    pub fn cache_set(&self, name: &str, value: impl Into<Json>, ttl_seconds: i64) -> Result<(), HostError> {
        self.call("cache.set", &entry("name", name, value.into(), ttl_seconds)).map(|_| ())
    }

    /// Needs the capability secrets, with expose: value.
    pub fn secret_get(&self, name: &str) -> Result<String, HostError> {
        Ok(self.call("secret.get", &Json::object().with("name", name))?.get("value").text_or("").to_string())
    }

    /// Keeps a file with the execution. The content type may be empty.
    pub fn artifact_put(&self, name: &str, content_type: &str, data: &[u8]) -> Result<(), HostError> {
        let mut q = Json::object().with("name", name);
        if !content_type.is_empty() {
            q.set("content_type", content_type);
        }
        content(&mut q, "body", "body_base64", data);
        self.call("artifact.put", &q).map(|_| ())
    }

    /// Goes on with a file that artifact_put began, or begins one, so that it may be larger than one call.
    pub fn artifact_append(&self, name: &str, data: &[u8]) -> Result<(), HostError> {
        let mut q = Json::object().with("name", name).with("append", true);
        content(&mut q, "body", "body_base64", data);
        self.call("artifact.put", &q).map(|_| ())
    }
}

/// Puts text as it is, and other bytes as base64.
fn content(to: &mut Json, text_key: &str, base64_key: &str, data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) => to.set(text_key, text),
        Err(_) => to.set(base64_key, base64(data)),
    };
}

fn entry(field: &str, name: &str, value: Json, ttl_seconds: i64) -> Json {
    let mut q = Json::object().with(field, name).with("value", value);
    if ttl_seconds > 0 {
        q.set("ttl_seconds", ttl_seconds);
    }
    q
}

// ---- The response ----

/// What a plugin answers; each method returns it.
pub struct Response {
    body: Json,
}

/// A 200 with a message.
pub fn ok(message: impl Into<String>) -> Response {
    fail(200, message)
}

/// A response with any status; 408, 425, 429 and 5xx may be retried.
pub fn fail(status: i32, message: impl Into<String>) -> Response {
    Response { body: Json::object().with("status_code", status).with("message", message.into()) }
}

/// A response for an error of a host call: 403 denied, 504 timeout, 499
/// cancelled, 400, 501, else 502.
pub fn fail_with(error: &HostError, message: impl Into<String>) -> Response {
    let status = match error.code.as_str() {
        "denied" => 403,
        "timeout" => 504,
        "cancelled" => 499,
        "invalid_request" => 400,
        "unsupported_op" => 501,
        _ => 502,
    };
    fail(status, message).with_code(&error.code)
}

impl Response {
    fn add(mut self, part: &str, key: &str, value: Json) -> Response {
        let merged = match self.body.get(part) {
            Json::Null => Json::object().with(key, value),
            old => old.clone().with(key, value),
        };
        self.body.set(part, merged);
        self
    }

    /// The typed result, which the manifest's schema describes.
    pub fn with_result(mut self, value: impl Into<Json>) -> Response {
        self.body.set("result", value);
        self
    }
    pub fn with_metric(self, name: &str, value: f64) -> Response {
        self.add("metrics", name, value.into())
    }
    /// Names the failure for machines.
    pub fn with_code(self, code: &str) -> Response {
        self.add("error", "code", code.into())
    }
    pub fn with_retry(self, retryable: bool, after_seconds: i64) -> Response {
        let r = self.add("error", "retryable", retryable.into());
        if after_seconds > 0 {
            return r.add("error", "retry_after_seconds", after_seconds.into());
        }
        r
    }
    /// Stores a value with the execution as a named result.
    pub fn with_db(self, name: &str, value: impl Into<Json>) -> Response {
        self.with(operation("db", name).with("value", value))
    }
    /// Puts a value into the server's cache; a ttl of 0 is an hour.
    pub fn with_cache(self, name: &str, value: impl Into<Json>, ttl_seconds: i64) -> Response {
        let mut op = operation("cache", name).with("value", value);
        if ttl_seconds > 0 {
            op.set("ttl_seconds", ttl_seconds);
        }
        self.with(op)
    }
    /// Writes a file into the task's own folder on the agent; the name is one path segment.
    pub fn with_file(self, name: &str, data: &[u8]) -> Response {
        let mut op = operation("file", name);
        content(&mut op, "value", "value", data);
        op.set("encoding", if std::str::from_utf8(data).is_ok() { "utf8" } else { "base64" });
        self.with(op)
    }
    fn with(mut self, op: Json) -> Response {
        let mut all = match self.body.get("data") {
            Json::Array(old) => old.clone(),
            _ => Vec::new(),
        };
        all.push(op);
        self.body.set("data", Json::Array(all));
        self
    }
}

fn operation(kind: &str, name: &str) -> Json {
    Json::object().with("type", kind).with("name", name)
}

// ---- The program ----

/// A function that carries out one action.
pub type Action = fn(&mut Context) -> Response;

/// Answers one request.
pub fn serve(actions: &[(&str, Action)], request: &[u8]) -> String {
    let parsed = std::str::from_utf8(request).ok().and_then(Json::parse);
    let request = match parsed {
        Some(object @ Json::Object(_)) => object,
        _ => return fail(400, "The request is not valid JSON.").with_code("invalid_request").body.to_string(),
    };
    let mut ctx = Context { request };
    let found = actions.iter().find(|(name, _)| *name == ctx.action()).map(|(_, run)| *run);
    match found {
        Some(run) => run(&mut ctx).body.to_string(),
        None => {
            let names: Vec<&str> = actions.iter().map(|(name, _)| *name).collect();
            let message = format!("This plugin has no action \"{}\", it has: {}.", ctx.action(), names.join(", "));
            fail(404, message).with_code("unknown_action").body.to_string()
        }
    }
}

/// Serves the request on standard input. A panic goes to the log and ends the
/// execution with the host's 500 "exception" or "trap".
pub fn run(actions: &[(&str, Action)]) {
    let mut request = Vec::new();
    if std::io::stdin().read_to_end(&mut request).is_err() {
        request.clear();
    }
    let response = serve(actions, &request) + "\n";
    if std::io::stdout().write_all(response.as_bytes()).is_err() {
        std::process::exit(1);
    }
}
