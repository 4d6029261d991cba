// Types of script plugins for Octopus. In plugin.js:
//
//   /** @param {import("./octopus").Call<{name: string}>} call */
//   export async function greet({ params, octopus }) {
//     console.log("greeting", params.name);
//     return octopus.ok(`Hello, ${params.name}.`);
//   }
//
// A script is one ES module; each function that it exports is an action. It
// has the language itself (ES2023) and what is declared here: no timers, no
// import, no npm, no Web or Node.js interfaces.

/** What an action is called with. */
export interface Call<Params = Record<string, any>, Config = Record<string, any>> {
  /** Has passed the action's schema, with its defaults filled in. */
  params: Params;
  /** What an administrator filled in for the plugin. */
  config: Config;
  octopus: Octopus;
  /** All that the host sent, as docs/plugins.md describes it. */
  request: Request;
  execution: Request["execution"];
  user: Request["user"];
}

export interface Request {
  abi: number;
  action: string;
  params?: any;
  config?: any;
  execution: { id?: string; run?: string; task?: string; attempt?: number; deadline?: string; dry_run?: boolean };
  user: { name?: string; params?: Record<string, any> };
}

/** What an action returns: an object like this, or one that octopus.ok or octopus.fail made. */
export interface ResponseObject {
  /** As in HTTP: 2xx succeeded, 408, 425, 429 and 5xx may be retried, other 4xx may not. */
  status_code: number;
  /** One sentence for people. */
  message: string;
  /** Operations that the host carries out, all or none, and only on success. */
  data?: Operation[];
  result?: any;
  metrics?: Record<string, number>;
  error?: { code?: string; message?: string; retryable?: boolean; retry_after_seconds?: number; details?: any };
}

export type Operation =
  | { type: "db"; name: string; value: any }
  | { type: "cache"; name: string; value: any; ttl_seconds?: number }
  | { type: "file"; name: string; value: any; encoding?: "json" | "utf8" | "base64" };

/** A response that can be added to; each method returns it. */
export interface Response extends ResponseObject {
  withResult(value: any): this;
  withMetric(name: string, value: number): this;
  withCode(code: string): this;
  /** after is in seconds. */
  withRetry(retryable: boolean, after?: number): this;
  /** Stores a value with the execution as a named result. */
  withDB(name: string, value: any): this;
  /** Puts a value into the server's cache; ttl is in seconds, an hour without it. */
  withCache(name: string, value: any, ttl?: number): this;
  /** Writes a file into the task's own folder on the agent. */
  withFile(name: string, content: Data): this;
}

export type Data = string | ArrayBuffer | Uint8Array;

/** The host refused an operation, or could not carry it out. */
export interface HostError extends Error {
  op: string;
  /** denied, unsupported_op, invalid_request, timeout, cancelled, dns, refused, unreachable, tls, protocol, not_found, too_large, quota, rate_limited, unavailable or internal. */
  code: string;
  retryable: boolean;
  /** All that the host answered. */
  reply?: any;
}

export interface FetchOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: Data;
  /** Sent as JSON, with POST unless there is a method. */
  json?: any;
  /** 10 without it, which is also the most. */
  timeout_seconds?: number;
  /** Longer bodies are truncated; 10 MiB without it. */
  max_bytes?: number;
  follow_redirects?: boolean;
}

export interface FetchResponse {
  status: number;
  /** Whether status is 2xx. */
  ok: boolean;
  headers: Record<string, string>;
  /** Of the body, in bytes. */
  size: number;
  bytes(): Uint8Array;
  text(): string;
  json(): any;
  truncated: boolean;
  duration_ms: number;
  remote_addr?: string;
  final_url: string;
  redirects: number;
  tls?: any;
}

/** The host. Rejections are HostErrors. */
export interface Octopus {
  ok(message: string): Response;
  fail(status: number, message: string): Response;
  /** A response for an error of a host call: 403 denied, 504 timeout, 499 cancelled, 400, 501, else 502; 500 for other errors. */
  failWith(error: Error, message?: string): Response;

  log(...words: any[]): void;
  debug(...words: any[]): void;
  warn(...words: any[]): void;
  error(...words: any[]): void;
  /** From 0 to 1. */
  progress(fraction: number, message?: string): void;
  /** Somebody asked the execution to end; 10 seconds later it is killed. */
  cancelled(): boolean;
  /** Waits; false as soon as the execution is cancelled. Nothing else runs meanwhile. */
  sleep(seconds: number): Promise<boolean>;

  /** Needs the capability http. */
  http: { fetch(url: string, options?: FetchOptions): Promise<FetchResponse>; fetch(request: FetchOptions & { url: string }): Promise<FetchResponse> };
  /** The plugin's durable store, which needs the capability kv. Without a ttl (in seconds) values stay for good. */
  kv: {
    get(key: string): Promise<any | undefined>;
    set(key: string, value: any, ttl?: number): Promise<void>;
    delete(key: string): Promise<void>;
    list(prefix?: string): Promise<string[]>;
  };
  /** The server's cache; names that begin with broadcast/ read what administrators broadcast. */
  cache: { get(name: string): Promise<any | undefined>; set(name: string, value: any, ttl?: number): Promise<void> };
  /** Needs the capability secrets, with expose: value. */
  secret: { get(name: string): Promise<string> };
  /** Keeps a file with the execution. append goes on with one that put began, or begins one, so that it may be larger than one call. */
  artifact: { put(name: string, content: Data, type?: string): Promise<any>; append(name: string, content: Data): Promise<any> };
  /** Both need the capability net. */
  tcp: { probe(request: { host: string; port: number; timeout_seconds?: number; tls?: boolean; server_name?: string }): Promise<any> };
  dns: { lookup(name: string, type?: string): Promise<any> };
  /** Needs the capability host; parts are os, cpu, memory, load and disks. */
  host: { info(...parts: string[]): Promise<any> };
  /** Any operation, also one that this file does not know. */
  call(op: string, request?: any): Promise<any>;

  /** UTF-8 and base64. */
  bytes(data: Data): Uint8Array;
  text(data: Data): string;
  base64(data: Data): string;
  unbase64(text: string): Uint8Array;
}

declare global {
  /** The log. */
  const console: Record<"log" | "info" | "debug" | "warn" | "error", (...words: any[]) => void>;
}
