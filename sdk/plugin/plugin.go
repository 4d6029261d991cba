// Package plugin is what a plugin written in Go needs: it reads the request,
// calls the handler of the asked action, talks to the host, and prints the
// response. It is one file that imports only the standard library; copy it
// into your own module if you do not want a dependency.
//
//	package main
//
//	func main() {
//		plugin.Main(plugin.Actions{"greet": plugin.Action(greet)})
//	}
//
//	type params struct {
//		Name string `json:"name"`
//	}
//
//	func greet(ctx *plugin.Context, p params) plugin.Response {
//		ctx.Log("greeting %s", p.Name)
//		return plugin.OK("Hello, %s.", p.Name)
//	}
//
// Build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared
// -ldflags="-s -w"; Go 1.24 or newer will do. Variables of packages, and init
// functions, are then set and run once for many executions, which all find them
// as they were after that; main is called for each. Without -buildmode each
// execution begins with nothing, which takes some milliseconds.
// It also builds natively: handlers can be tested with [NewContext] and a
// host of your own; without one each host call answers "unsupported_op".
package plugin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// Handler carries out one action.
type Handler func(ctx *Context) Response

// Actions names the handlers of a plugin, as in its manifest.
type Actions map[string]Handler

// Action makes a Handler of a function that takes its parameters as a struct.
// Parameters that do not fit the struct are answered with a 400. Called for a
// variable of a package it prepares decoding them once for many executions.
func Action[P any](run func(*Context, P) Response) Handler {
	if runtime.GOARCH == "wasm" {
		_ = json.Unmarshal([]byte("{}"), new(P))
	}
	return func(ctx *Context) Response {
		var p P
		if err := ctx.Params(&p); err != nil {
			return Fail(400, "The parameters do not fit this plugin: %v.", err).WithCode("invalid_params")
		}
		return run(ctx, p)
	}
}

// Main serves one request: it reads standard input, runs the action, prints
// the response and returns. What handlers print to os.Stdout goes to the log.
func Main(actions Actions) {
	out := os.Stdout
	os.Stdout = os.Stderr
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		body = nil
	}
	reply, err := json.Marshal(Serve(actions, body, wasmHost))
	if err != nil {
		reply, _ = json.Marshal(Fail(500, "The response cannot be written as JSON: %v.", err).WithCode("exception"))
	}
	if _, err := out.Write(append(reply, '\n')); err != nil {
		os.Exit(1)
	}
}

// Serve answers one request; a handler that panics is answered with a 500
// whose error code is "exception", its stack goes to the log.
func Serve(actions Actions, request []byte, host Host) (res Response) {
	var req Request
	if err := json.Unmarshal(request, &req); err != nil {
		return Fail(400, "The request is not valid JSON: %v.", err).WithCode("invalid_request")
	}
	handler := actions[req.Action]
	if handler == nil {
		return Fail(404, "This plugin has no action %q, it has: %s.", req.Action, actions.names()).WithCode("unknown_action")
	}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n%s", p, debug.Stack())
			res = Fail(500, "The plugin panicked: %v.", p).WithCode("exception")
		}
	}()
	return handler(NewContext(req, host))
}

func (a Actions) names() string {
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// Request is what the host puts on standard input.
type Request struct {
	ABI       int             `json:"abi"`
	Action    string          `json:"action"`
	Params    json.RawMessage `json:"params,omitempty"`
	Config    json.RawMessage `json:"config,omitempty"`
	Execution Execution       `json:"execution"`
	User      User            `json:"user"`
}

// Execution says for what the plugin runs.
type Execution struct {
	ID       string    `json:"id,omitempty"`
	Run      string    `json:"run,omitempty"`
	Task     string    `json:"task,omitempty"`
	Attempt  int       `json:"attempt,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	DryRun   bool      `json:"dry_run,omitempty"` // host calls that change something are only recorded
}

// User is who started the execution; Params holds the granted categories.
type User struct {
	Name   string          `json:"name,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
}

// Response is what a plugin answers: a status as in HTTP (2xx succeeded), one
// sentence, and data that the host stores if, and only if, it succeeded.
type Response struct {
	StatusCode int                `json:"status_code"`
	Message    string             `json:"message"`
	Data       []Data             `json:"data,omitempty"`
	Result     any                `json:"result,omitempty"`
	Metrics    map[string]float64 `json:"metrics,omitempty"`
	Error      *Failure           `json:"error,omitempty"`
}

// Data is one operation that the host applies: type cache, file or db.
type Data struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Value      any    `json:"value"`
	TTLSeconds int    `json:"ttl_seconds,omitempty"` // cache, 3600 if 0
	Encoding   string `json:"encoding,omitempty"`    // file: json, utf8 or base64
}

// Failure explains a response that is not a 2xx to machines.
type Failure struct {
	Code              string `json:"code,omitempty"`
	Retryable         *bool  `json:"retryable,omitempty"` // wins over what the status says
	RetryAfterSeconds int    `json:"retry_after_seconds,omitempty"`
	Details           any    `json:"details,omitempty"`
}

// OK is a 200 with a message.
func OK(format string, args ...any) Response { return Fail(200, format, args...) }

// Fail is a response with any status; 408, 425, 429 and 5xx may be retried.
func Fail(status int, format string, args ...any) Response {
	return Response{StatusCode: status, Message: fmt.Sprintf(format, args...)}
}

// FailWith turns an error of a host call into a response with its code: 403
// denied, 504 timeout, 499 cancelled, 400 for a request that the host refused,
// 502 for anything else.
func FailWith(err error, format string, args ...any) Response {
	var he *HostError
	if !errors.As(err, &he) {
		return Fail(500, format, args...).WithCode("exception")
	}
	status, known := map[string]int{"denied": 403, "timeout": 504, "cancelled": 499, "invalid_request": 400, "unsupported_op": 501}[he.Code]
	if !known {
		status = 502
	}
	return Fail(status, format, args...).WithCode(he.Code)
}

// WithResult sets the typed result, which the manifest's schema describes.
func (r Response) WithResult(v any) Response { r.Result = v; return r }

// WithMetric adds a number that is worth a line over time.
func (r Response) WithMetric(name string, v float64) Response {
	metrics := map[string]float64{name: v}
	for k, old := range r.Metrics {
		if k != name {
			metrics[k] = old
		}
	}
	r.Metrics = metrics
	return r
}

// WithCode names the failure for machines.
func (r Response) WithCode(code string) Response {
	f := r.failure()
	f.Code = code
	r.Error = &f
	return r
}

// WithRetry says whether another try makes sense, and after how long at least.
func (r Response) WithRetry(retryable bool, after time.Duration) Response {
	f := r.failure()
	f.Retryable, f.RetryAfterSeconds = &retryable, int(after.Seconds())
	r.Error = &f
	return r
}

func (r Response) failure() Failure {
	if r.Error == nil {
		return Failure{}
	}
	return *r.Error
}

// WithDB stores v with the execution as a named result, shown as a table.
func (r Response) WithDB(name string, v any) Response {
	return r.with(Data{Type: "db", Name: name, Value: v})
}

// WithCache puts v into the server's cache; ctx.CacheGet reads it back until
// it expires (ttl 0 is an hour) or is evicted.
func (r Response) WithCache(name string, v any, ttl time.Duration) Response {
	return r.with(Data{Type: "cache", Name: name, Value: v, TTLSeconds: int(ttl.Seconds())})
}

// WithFile writes a file into the task's output folder on the agent. The name
// is one path segment.
func (r Response) WithFile(name string, content []byte) Response {
	if utf8.Valid(content) {
		return r.with(Data{Type: "file", Name: name, Value: string(content), Encoding: "utf8"})
	}
	return r.with(Data{Type: "file", Name: name, Value: base64.StdEncoding.EncodeToString(content), Encoding: "base64"})
}

func (r Response) with(d Data) Response {
	r.Data = append(r.Data[:len(r.Data):len(r.Data)], d)
	return r
}

// Host carries one host operation: JSON in, JSON out. Errors of the operation
// itself are in the reply, as {"error": {"code", "message"}}.
type Host func(op string, request []byte) (reply []byte, err error)

// HostError is an operation that the host refused or could not carry out. Code
// is one of denied, unsupported_op, invalid_request, timeout, cancelled, dns,
// refused, unreachable, tls, protocol, not_found, too_large, quota,
// rate_limited, unavailable, internal.
type HostError struct {
	Op        string `json:"-"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable,omitempty"`
}

func (e *HostError) Error() string { return e.Message }

// Code is the code of a host error, or "" for any other error.
func Code(err error) string {
	var he *HostError
	if errors.As(err, &he) {
		return he.Code
	}
	return ""
}

// Context is one request and the way to the host. It is not safe for use by
// several goroutines at once.
type Context struct {
	Request
	host Host
}

// NewContext is for tests: a request and a host of your own (nil: every call
// is unsupported, logs go to standard error).
func NewContext(req Request, host Host) *Context {
	if host == nil {
		host = noHost
	}
	return &Context{Request: req, host: host}
}

// Params decodes the parameters into v, a pointer to a struct.
func (c *Context) Params(v any) error { return decode(c.Request.Params, v) }

// Config decodes what an administrator configured for this plugin.
func (c *Context) Config(v any) error { return decode(c.Request.Config, v) }

func decode(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, v)
}

// Call carries out any host operation, also one that this file does not know.
// A reply with an error is decoded too, where the operation fills both.
func (c *Context) Call(op string, request, reply any) error {
	in, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("request of %s: %w", op, err)
	}
	out, err := c.host(op, in)
	if err != nil {
		return err
	}
	var failed struct {
		Error *HostError `json:"error"`
	}
	if err := json.Unmarshal(out, &failed); err != nil {
		return &HostError{Op: op, Code: "internal", Message: "the host answered " + op + " with invalid JSON"}
	}
	if reply != nil {
		if err := json.Unmarshal(out, reply); err != nil && failed.Error == nil {
			return &HostError{Op: op, Code: "internal", Message: "the host answered " + op + " in an unknown form: " + err.Error()}
		}
	}
	if failed.Error != nil {
		failed.Error.Op = op
		return failed.Error
	}
	return nil
}

// Log writes a line to the execution's log, live.
func (c *Context) Log(format string, args ...any) { c.log("info", format, args) }

// Debug is Log with level debug.
func (c *Context) Debug(format string, args ...any) { c.log("debug", format, args) }

// Warn is Log with level warn.
func (c *Context) Warn(format string, args ...any) { c.log("warn", format, args) }

// Error is Log with level error; it does not end the execution.
func (c *Context) Error(format string, args ...any) { c.log("error", format, args) }

func (c *Context) log(level, format string, args []any) {
	line := struct {
		Level   string `json:"level"`
		Message string `json:"message"`
	}{level, fmt.Sprintf(format, args...)}
	if err := c.Call("log", line, nil); err != nil {
		fmt.Fprintln(os.Stderr, line.Message)
	}
}

// Progress reports how far the work is, from 0 to 1, and what is done now.
func (c *Context) Progress(fraction float64, format string, args ...any) {
	_ = c.Call("progress", struct {
		Fraction float64 `json:"fraction"`
		Message  string  `json:"message,omitempty"`
	}{min(1, max(0, fraction)), fmt.Sprintf(format, args...)}, nil) // progress is a courtesy, never a reason to fail
}

// Cancelled tells whether somebody asked the execution to end. A handler that
// sees it should clean up and return; 10 seconds later it is killed.
func (c *Context) Cancelled() bool {
	var reply struct {
		Cancelled bool `json:"cancelled"`
	}
	return c.Call("cancelled", struct{}{}, &reply) == nil && reply.Cancelled
}

// Sleep waits for d and returns true, or false as soon as the execution is
// cancelled (looked at four times a second).
func (c *Context) Sleep(d time.Duration) bool {
	for end := time.Now().Add(d); ; {
		if c.Cancelled() {
			return false
		}
		left := time.Until(end)
		if left <= 0 {
			return true
		}
		time.Sleep(min(left, 250*time.Millisecond))
	}
}

// wasmHost calls the import module octopus_v1: call returns the length of the
// pending reply or a negative number, read copies it.
func wasmHost(op string, request []byte) ([]byte, error) {
	if runtime.GOARCH != "wasm" {
		return noHost(op, request)
	}
	n := hostCall(unsafe.StringData(op), uint32(len(op)), unsafe.SliceData(request), uint32(len(request)))
	runtime.KeepAlive(request)
	size := uint32(max(n, 0))
	if n < 0 {
		size = 16 << 10 // a refusal: an errno, and a reply that says why
	}
	reply := make([]byte, size)
	reply = reply[:max(0, hostRead(unsafe.SliceData(reply), size))]
	if n < 0 && !json.Valid(reply) {
		return nil, &HostError{Op: op, Code: errnos[-n], Message: fmt.Sprintf("the host refused %s (errno %d)", op, -n)}
	}
	return reply, nil
}

// errnos names the codes of refusals without a reply; the numbers are WASI's.
var errnos = map[int32]string{
	1: "too_large", 2: "denied", 6: "rate_limited", 11: "cancelled", 21: "internal", 28: "invalid_request", 29: "internal",
	44: "not_found", 51: "quota", 52: "unsupported_op", 73: "timeout",
}

func noHost(op string, _ []byte) ([]byte, error) {
	return nil, &HostError{Op: op, Code: "unsupported_op", Message: op + " is not available here"}
}

// The linkname lines let this file compile natively too, where the functions
// have no body and are never called.

//go:wasmimport octopus_v1 call
//go:linkname hostCall
func hostCall(op *byte, opLen uint32, request *byte, requestLen uint32) int32

//go:wasmimport octopus_v1 read
//go:linkname hostRead
func hostRead(buf *byte, size uint32) int32

//go:wasmimport wasi_snapshot_preview1 random_get
//go:linkname randomGet
func randomGet(buf *byte, size uint32) uint32

//go:linkname pluginMain main.main
func pluginMain()

// run is the entry of a module that was built with -buildmode=c-shared: what
// main is to a program.
//
//go:wasmexport octopus_run
func run() {
	stir()
	pluginMain()
}

// init has encoding/json look at the types of requests and responses: a module
// that was initialised once need not do so in each execution.
func init() {
	if runtime.GOARCH == "wasm" {
		answer := func(*Context) Response {
			return OK("%s", "").WithResult("").WithMetric("", 1).WithDB("", "").WithRetry(true, 0)
		}
		_, _ = json.Marshal(Serve(Actions{"": answer}, []byte(`{"execution":{"deadline":"2026-01-02T03:04:05Z"},"user":{}}`), noHost))
	}
}

var _ = run // the host uses it

// stir moves the numbers that math/rand has without a seed on by a random
// distance of less than 256: they were seeded when the module was initialised,
// and would be the same in each execution. They are no more than different:
// where that is too little take crypto/rand, which asks the host each time.
func stir() {
	var distance [1]byte
	randomGet(&distance[0], 1)
	for range distance[0] {
		rand.Uint64()
	}
}

// HTTPRequest is a call of http.fetch; it needs the capability http. Zero
// values mean GET, 10 s and 10 MiB.
type HTTPRequest struct {
	Method          string            `json:"method,omitempty"`
	URL             string            `json:"url"`
	Headers         map[string]string `json:"headers,omitempty"`
	Body            string            `json:"body,omitempty"`
	BodyBase64      []byte            `json:"body_base64,omitempty"`
	TimeoutSeconds  float64           `json:"timeout_seconds,omitempty"`
	MaxBytes        int               `json:"max_bytes,omitempty"` // longer bodies are truncated
	FollowRedirects *bool             `json:"follow_redirects,omitempty"`
}

// HTTPResponse is its answer. Body is set if it is valid UTF-8, else
// BodyBase64, which holds the decoded bytes.
type HTTPResponse struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	BodyBase64 []byte            `json:"body_base64"`
	Bytes      int               `json:"bytes"`
	Truncated  bool              `json:"truncated"`
	DurationMS float64           `json:"duration_ms"`
	RemoteAddr string            `json:"remote_addr"`
	FinalURL   string            `json:"final_url"`
	Redirects  int               `json:"redirects"`
	TLS        *TLS              `json:"tls"`
}

// TLS is what a handshake showed; Certificates begin with the peer's own.
type TLS struct {
	Version      string        `json:"version"`
	Cipher       string        `json:"cipher"`
	ALPN         string        `json:"alpn"`
	ServerName   string        `json:"server_name"`
	Verified     bool          `json:"verified"`
	VerifyError  string        `json:"verify_error"`
	Certificates []Certificate `json:"certificates"`
}

// Certificate is one certificate of a chain.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	DNSNames  []string  `json:"dns_names"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
}

// Fetch makes an HTTP request through the host.
func (c *Context) Fetch(req HTTPRequest) (res HTTPResponse, err error) {
	err = c.Call("http.fetch", req, &res)
	return res, err
}

// ProbeRequest is a call of tcp.probe; it needs the capability net.
type ProbeRequest struct {
	Host           string  `json:"host"`
	Port           int     `json:"port"`
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"` // 10 if 0
	TLS            bool    `json:"tls,omitempty"`
	ServerName     string  `json:"server_name,omitempty"`
}

// ProbeResult is its answer. A bad certificate is no error: see TLS.Verified.
type ProbeResult struct {
	OK        bool    `json:"ok"`
	Address   string  `json:"address"`
	ConnectMS float64 `json:"connect_ms"`
	TLSMS     float64 `json:"tls_ms"`
	TLS       *TLS    `json:"tls"`
}

// Probe opens a TCP connection and closes it. After an error the result holds
// what was known by then.
func (c *Context) Probe(req ProbeRequest) (res ProbeResult, err error) {
	err = c.Call("tcp.probe", req, &res)
	return res, err
}

// LookupRequest is a call of dns.lookup; it needs the capability net. Type is
// A, AAAA, CNAME, MX, NS, TXT, PTR or SRV.
type LookupRequest struct {
	Name           string  `json:"name"`
	Type           string  `json:"type,omitempty"`            // A if ""
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"` // 5 if 0
}

// LookupResult is its answer.
type LookupResult struct {
	Records    []Record `json:"records"`
	DurationMS float64  `json:"duration_ms"`
}

// Record is one DNS record; Value is its address, host name or text.
type Record struct {
	Type       string `json:"type"`
	Value      string `json:"value"`
	Preference int    `json:"preference,omitempty"` // MX
	Priority   int    `json:"priority,omitempty"`   // SRV
	Weight     int    `json:"weight,omitempty"`     // SRV
	Port       int    `json:"port,omitempty"`       // SRV
}

// Lookup asks the agent's resolver.
func (c *Context) Lookup(req LookupRequest) (res LookupResult, err error) {
	err = c.Call("dns.lookup", req, &res)
	return res, err
}

// HostInfo is what the host tells of its machine; parts that were not granted
// are nil.
type HostInfo struct {
	Hostname      string  `json:"hostname,omitempty"`
	UptimeSeconds float64 `json:"uptime_seconds,omitempty"`
	OS            *OS     `json:"os,omitempty"`
	CPU           *CPU    `json:"cpu,omitempty"`
	Memory        *Memory `json:"memory,omitempty"`
	Load          *Load   `json:"load,omitempty"`
	Disks         []Disk  `json:"disks,omitempty"`
}

// OS is the operating system.
type OS struct {
	Name     string `json:"name"` // linux, darwin, windows
	Platform string `json:"platform"`
	Version  string `json:"version"`
	Kernel   string `json:"kernel"`
	Arch     string `json:"arch"`
}

// CPU is the processor and how busy it is.
type CPU struct {
	Model       string  `json:"model"`
	Cores       int     `json:"cores"`
	Threads     int     `json:"threads"`
	UsedPercent float64 `json:"used_percent"`
}

// Memory is main memory and swap.
type Memory struct {
	TotalBytes     int64   `json:"total_bytes"`
	AvailableBytes int64   `json:"available_bytes"`
	UsedBytes      int64   `json:"used_bytes"`
	UsedPercent    float64 `json:"used_percent"`
	SwapTotalBytes int64   `json:"swap_total_bytes"`
	SwapUsedBytes  int64   `json:"swap_used_bytes"`
}

// Load is the load average; Windows has none.
type Load struct {
	One     float64 `json:"one"`
	Five    float64 `json:"five"`
	Fifteen float64 `json:"fifteen"`
}

// Disk is one mounted file system.
type Disk struct {
	Mount             string  `json:"mount"`
	Device            string  `json:"device"`
	FS                string  `json:"fs"`
	TotalBytes        int64   `json:"total_bytes"`
	FreeBytes         int64   `json:"free_bytes"`
	UsedBytes         int64   `json:"used_bytes"`
	UsedPercent       float64 `json:"used_percent"`
	InodesTotal       int64   `json:"inodes_total"`
	InodesFree        int64   `json:"inodes_free"`
	InodesUsedPercent float64 `json:"inodes_used_percent"`
	ReadOnly          bool    `json:"read_only"`
}

// HostInfo needs the capability host; without parts it answers all that is
// granted of os, cpu, memory, load and disks.
func (c *Context) HostInfo(parts ...string) (res HostInfo, err error) {
	err = c.Call("host.info", map[string][]string{"parts": parts}, &res)
	return res, err
}

// KVGet reads a value of the plugin's durable store, which needs the
// capability kv, into v; it reports whether the key was there.
func (c *Context) KVGet(key string, v any) (bool, error) {
	return c.get("kv.get", entry{Key: key}, v)
}

// KVSet stores v under a key, for good if ttl is 0.
func (c *Context) KVSet(key string, v any, ttl time.Duration) error {
	return c.Call("kv.set", entry{Key: key, Value: v, TTLSeconds: int(ttl.Seconds())}, nil)
}

// KVDelete removes a key; it is no error if there is none.
func (c *Context) KVDelete(key string) error { return c.Call("kv.delete", entry{Key: key}, nil) }

// KVList lists at most 1,000 keys with a prefix, in order.
func (c *Context) KVList(prefix string) ([]string, error) {
	var reply struct {
		Keys []string `json:"keys"`
	}
	err := c.Call("kv.list", map[string]string{"prefix": prefix}, &reply)
	return reply.Keys, err
}

// CacheGet reads what the plugin once put into the server's cache; names that
// begin with "broadcast/" read what administrators broadcast.
func (c *Context) CacheGet(name string, v any) (bool, error) {
	return c.get("cache.get", entry{Name: name}, v)
}

// CacheSet stores v now, other than Response.WithCache, which stores it only
// when the execution succeeds. It may vanish at any time; ttl 0 is an hour.
func (c *Context) CacheSet(name string, v any, ttl time.Duration) error {
	return c.Call("cache.set", entry{Name: name, Value: v, TTLSeconds: int(ttl.Seconds())}, nil)
}

// SecretGet reads a secret; it needs the capability secrets with "expose:
// value". Others are put into requests by the host, unseen.
func (c *Context) SecretGet(name string) (string, error) {
	var reply struct {
		Value string `json:"value"`
	}
	err := c.Call("secret.get", entry{Name: name}, &reply)
	return reply.Value, err
}

// ArtifactPut keeps a file with the execution, whatever becomes of it. The
// content type may be empty.
func (c *Context) ArtifactPut(name, contentType string, content []byte) error {
	return c.artifact(name, contentType, content, false)
}

// ArtifactAppend goes on with a file that ArtifactPut began, or begins one, so
// that it may be larger than one call.
func (c *Context) ArtifactAppend(name string, content []byte) error {
	return c.artifact(name, "", content, true)
}

func (c *Context) artifact(name, contentType string, content []byte, more bool) error {
	q := struct {
		Name        string `json:"name"`
		ContentType string `json:"content_type,omitempty"`
		Body        string `json:"body,omitempty"`
		BodyBase64  []byte `json:"body_base64,omitempty"`
		Append      bool   `json:"append,omitempty"`
	}{Name: name, ContentType: contentType, Append: more}
	if utf8.Valid(content) {
		q.Body = string(content)
	} else {
		q.BodyBase64 = content
	}
	return c.Call("artifact.put", q, nil)
}

type entry struct {
	Key        string `json:"key,omitempty"`
	Name       string `json:"name,omitempty"`
	Value      any    `json:"value,omitempty"`
	TTLSeconds int    `json:"ttl_seconds,omitempty"`
}

func (c *Context) get(op string, e entry, v any) (bool, error) {
	var reply struct {
		Found bool            `json:"found"`
		Value json.RawMessage `json:"value"`
	}
	if err := c.Call(op, e, &reply); err != nil || !reply.Found {
		return false, err
	}
	return true, decode(reply.Value, v)
}
