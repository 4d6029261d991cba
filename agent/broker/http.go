package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"octopus/agent/redact"
)

// Caps of http.fetch.
const (
	fetchTimeout   = 10 * time.Second
	fetchBody      = 10 << 20 // bytes
	fetchRedirects = 5
	fetchHeaders   = 256 << 10 // bytes of the answer's head
)

type fetchRequest struct {
	Method          string            `json:"method"`
	URL             string            `json:"url"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	BodyBase64      string            `json:"body_base64"`
	TimeoutSeconds  float64           `json:"timeout_seconds"`
	MaxBytes        int64             `json:"max_bytes"`
	FollowRedirects *bool             `json:"follow_redirects"`
}

func (r fetchRequest) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return strings.ToUpper(r.Method)
}

type fetchReply struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body,omitempty"`
	BodyBase64 string            `json:"body_base64,omitempty"`
	Truncated  bool              `json:"truncated"`
	Bytes      int               `json:"bytes"`
	DurationMS float64           `json:"duration_ms"`
	RemoteAddr string            `json:"remote_addr,omitempty"`
	FinalURL   string            `json:"final_url"`
	Redirects  int               `json:"redirects"`
	TLS        *tlsFacts         `json:"tls,omitempty"`
}

// web is the HTTP client of one execution. Connections are never shared between executions: one that was opened
// under another grant would not be checked again.
type web struct{ transport *http.Transport }

func (b *Broker) client() (*web, *Error) {
	if b.web != nil {
		return b.web, nil
	}
	roots, failure := b.roots()
	if failure != nil {
		return nil, failure
	}
	dialer := b.dialer("http", b.config.Grant.HTTP.Addresses, b.config.Policy.HTTPAddresses())
	b.web = &web{&http.Transport{
		Proxy:                  nil, // a proxy from the environment would connect in our place, unchecked
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: fetchHeaders,
	}}
	return b.web, nil
}

// mayFetch checks one URL, the first or one that a redirect names.
func (b *Broker) mayFetch(u *url.URL, method string) *Error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return invalid("url", "it must begin with http:// or https://.")
	}
	host := asciiHost(u.Hostname())
	if host == "" {
		return invalid("url", "it names no host.")
	}
	port, err := portOf(u)
	if err != nil {
		return invalid("url", "its port is not one.")
	}
	what := "http " + method + " to " + hostPort(host, port)
	if b.config.Grant.HTTP == nil || !b.config.Grant.HTTP.Allows(host, port, method) {
		return b.notGranted(what)
	}
	if !b.config.Policy.HTTP(host, port, method) {
		return b.notAllowed(what)
	}
	return nil
}

func portOf(u *url.URL) (int, error) {
	if p := u.Port(); p != "" {
		return strconv.Atoi(p)
	}
	if u.Scheme == "https" {
		return 443, nil
	}
	return 80, nil
}

func (b *Broker) fetch(ctx context.Context, req []byte) (any, *Error) {
	var r fetchRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	timeout, failure := within(r.TimeoutSeconds, fetchTimeout, fetchTimeout)
	if failure != nil {
		return nil, failure
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	remote := ""
	request, failure := r.build(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { remote = info.Conn.RemoteAddr().String() },
	}))
	if failure != nil {
		return nil, failure
	}
	if failure := b.mayFetch(request.URL, request.Method); failure != nil {
		return nil, failure
	}
	injected, failure := b.inject(ctx, request)
	if failure != nil {
		return nil, failure
	}
	if b.config.DryRun && !harmless(request.Method) {
		return fetchReply{Status: http.StatusOK, Headers: map[string]string{}, FinalURL: r.URL}, nil
	}
	web, failure := b.client()
	if failure != nil {
		return nil, failure
	}
	reply, failure := b.exchange(web, request, r, strips(request.URL, injected))
	reply.RemoteAddr = remote
	b.hide(&reply)
	if failure != nil {
		return nil, failure
	}
	return reply, nil
}

// harmless says whether a method changes nothing, by its definition (RFC 9110, 9.2.1).
func harmless(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// reserved headers are the transport's own, or would make it speak for another host.
var reserved = []string{"Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade",
	"Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "Expect"}

func (r fetchRequest) build(ctx context.Context) (*http.Request, *Error) {
	body := []byte(r.Body)
	if r.BodyBase64 != "" {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.BodyBase64); err != nil || r.Body != "" {
			return nil, invalid("body_base64", "it must be standard base64, and there must not be a body beside it.")
		}
	}
	u, err := url.Parse(r.URL)
	if err != nil || r.URL == "" {
		return nil, invalid("url", "it is not a URL such as https://example.com/.")
	}
	if u.User != nil {
		return nil, invalid("url", "it must not carry a user name; put it into the Authorization header.")
	}
	if host := asciiHost(u.Hostname()); host != "" { // what was checked is what is dialled
		switch port := u.Port(); {
		case port != "":
			u.Host = net.JoinHostPort(host, port)
		case strings.Contains(host, ":"):
			u.Host = "[" + host + "]"
		default:
			u.Host = host
		}
	}
	request, err := http.NewRequestWithContext(ctx, r.method(), u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, invalid("method", "it is not a method such as GET.")
	}
	for name, value := range r.Headers {
		name = http.CanonicalHeaderKey(name)
		if slices.Contains(reserved, name) {
			return nil, invalid("headers", "%s is set by the agent.", name)
		}
		request.Header.Set(name, value)
	}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "Octopus")
	}
	return request, nil
}

var errRedirects = errorf("protocol", "The server redirected more than %d times.", fetchRedirects)

// exchange sends the request, follows redirects that are allowed, and reads the answer.
func (b *Broker) exchange(web *web, request *http.Request, r fetchRequest, strip func(*http.Request)) (fetchReply, *Error) {
	reply := fetchReply{FinalURL: request.URL.String()}
	follow := r.FollowRedirects == nil || *r.FollowRedirects
	client := &http.Client{Transport: web.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if !follow {
			return http.ErrUseLastResponse
		}
		if len(via) > fetchRedirects {
			return errRedirects
		}
		if failure := b.mayFetch(next.URL, next.Method); failure != nil {
			return failure
		}
		strip(next)
		reply.Redirects, reply.FinalURL = len(via), next.URL.String()
		return nil
	}}
	start := time.Now()
	resp, err := client.Do(request)
	if err != nil {
		return reply, fetchError(request, err)
	}
	defer resp.Body.Close()
	reply.Status, reply.Headers = resp.StatusCode, map[string]string{}
	for name, values := range resp.Header {
		reply.Headers[name] = strings.Join(values, ", ")
	}
	if resp.TLS != nil {
		reply.TLS = factsOf(*resp.TLS, resp.Request.URL.Hostname())
	}
	err = reply.read(resp.Body, r.MaxBytes, &b.secrets.hidden)
	reply.DurationMS = millis(time.Since(start))
	if err != nil {
		return reply, fetchError(request, err)
	}
	return reply, nil
}

// read takes up to most bytes of a body. A hidden secret that begins in them is read to its end, and taken out.
func (f *fetchReply) read(body io.Reader, most int64, hidden *redact.Redactor) error {
	if most <= 0 || most > fetchBody {
		most = fetchBody
	}
	raw, err := io.ReadAll(io.LimitReader(body, most+1+int64(hidden.Longest())))
	if err != nil {
		return err
	}
	f.Truncated = int64(len(raw)) > most
	raw = hidden.Head(raw, int(most))
	f.Bytes = len(raw)
	if utf8.Valid(raw) {
		f.Body = string(raw)
	} else {
		f.BodyBase64 = base64.StdEncoding.EncodeToString(raw)
	}
	return nil
}

func fetchError(request *http.Request, err error) *Error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	text := err.Error()
	if strings.Contains(text, "malformed HTTP") || strings.Contains(text, "server gave HTTP response to HTTPS client") {
		return errorf("protocol", "%s does not speak HTTP as it should: %s.", request.URL.Host, plain(err))
	}
	if strings.Contains(text, "invalid header field") {
		return invalid("headers", "%s.", plain(err))
	}
	return network(request.Context(), request.URL.Host, err)
}
