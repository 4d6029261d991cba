package sdk

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls one server. It is safe for concurrent use and keeps its connections open for the next call.
type Client struct {
	base      string // static, without a trailing slash
	token     string // static
	http      *http.Client
	userAgent string
	retries   int
}

// Option changes how a [Client] works.
type Option func(*Client)

// WithHTTPClient uses another HTTP client: for a proxy, a private certificate authority, a test. It should have
// no Timeout, which would cut streams; calls end with their context.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithUserAgent names the program. Defaults to "octopus-sdk".
func WithUserAgent(name string) Option { return func(c *Client) { c.userAgent = name } }

// WithRetries says how often a call that may be repeated safely is tried again after 429, 503 or a broken
// connection. Defaults to 3; 0 never repeats.
func WithRetries(n int) Option { return func(c *Client) { c.retries = n } }

// idleConnections are kept per server, so that many calls at a time need no new ones.
const idleConnections = 64

// New returns a client for the server at baseURL, such as "https://octopus.example.com". The token is an API
// token ("oct_…"); with "" only what needs no sign-in works.
func New(baseURL, token string, options ...Option) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = idleConnections, idleConnections
	c := &Client{
		base: strings.TrimRight(baseURL, "/"), token: token,
		http: &http.Client{Transport: transport}, userAgent: "octopus-sdk", retries: 3,
	}
	for _, option := range options {
		option(c)
	}
	return c
}

// BaseURL is the server's address.
func (c *Client) BaseURL() string { return c.base }

// Close gives up idle connections. Calls may still be made afterwards.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// CallOption changes one call.
type CallOption func(*call)

// WithIdempotencyKey names a create or trigger, so that repeating it returns what was made first. Without this
// option the client makes a key for each call, which covers its own repeats; "" sends none, which spares the
// server a row.
func WithIdempotencyKey(key string) CallOption {
	return func(c *call) { c.header.Set("Idempotency-Key", key) }
}

// WithWait asks the server to answer only when the run or execution has ended, or after d, at most 60 s.
func WithWait(d time.Duration) CallOption {
	return func(c *call) {
		seconds := strconv.Itoa(int(min(d, time.Minute) / time.Second))
		if c.method == http.MethodPost {
			c.prefer("wait=" + seconds)
			return
		}
		c.query.Set("wait", seconds)
	}
}

// call is one request to be made.
type call struct {
	method, path string // path below /api/v1
	query        url.Values
	header       http.Header
	body         []byte
}

// prefer adds to the Prefer header, in one line.
func (c *call) prefer(what string) {
	if before := c.header.Get("Prefer"); before != "" {
		what = before + ", " + what
	}
	c.header.Set("Prefer", what)
}

// callTimeout ends a call whose context has no deadline. It is above the longest wait of the server.
const callTimeout = 2 * time.Minute

// maxAnswer bounds what is read of an answer: the largest plugin response, escaped.
const maxAnswer = 160 << 20

// do makes a call with in as JSON body and decodes the answer into out; both may be nil.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any, options ...CallOption) error {
	req, err := newCall(method, path, query, in, options)
	if err != nil {
		return err
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	res, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	defer drain(res.Body)
	if out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return err
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer of %s %s: %w", method, path, err)
	}
	return nil
}

func newCall(method, path string, query url.Values, in any, options []CallOption) (*call, error) {
	r := &call{method: method, path: path, query: query, header: http.Header{}}
	if r.query == nil {
		r.query = url.Values{}
	}
	r.header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.header.Set("Idempotency-Key", newKey())
	}
	switch body := in.(type) {
	case nil:
	case module:
		r.body = body
		r.header.Set("Content-Type", "application/wasm")
	default:
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("body of %s %s: %w", method, path, err)
		}
		r.body = data
		r.header.Set("Content-Type", "application/json")
	}
	for _, option := range options {
		option(r)
	}
	return r, nil
}

// module is a body that is sent as it is.
type module []byte

// newKey is unique, and begins with the time: what a database keeps in the order of its keys grows at one end.
func newKey() string {
	var raw [16]byte
	rand.Read(raw[:])
	binary.BigEndian.PutUint64(raw[:], uint64(time.Now().UnixMicro()))
	return hex.EncodeToString(raw[:])
}

// request builds the HTTP request of one try.
func (c *Client) request(ctx context.Context, r *call) (*http.Request, error) {
	address := c.base + "/api/v1" + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("request to %s: %w", c.base, err)
	}
	req.Header = r.header.Clone()
	req.Header.Set("User-Agent", c.userAgent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

// drain reads the rest, so that the connection can be used again, and closes.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 64<<10))
	_ = body.Close()
}

// path joins segments, each escaped, below a leading slash.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// WithMinimal asks for the short answer: a run without its parameters and executions. It spares the server a
// query.
func WithMinimal() CallOption {
	return func(c *call) { c.prefer("return=minimal") }
}
