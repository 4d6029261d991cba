// Package link is how an agent reaches its server: the HTTP client with its proxy and roots, signed requests,
// enrolment, modules and blobs, and the WebSocket.
package link

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// Config says which server, and how it is reached.
type Config struct {
	// Server is the base URL.
	Server string
	// CAFile holds further roots to trust, PEM. Defaults to the system's roots.
	CAFile string
	// Insecure allows plain http beyond this machine.
	Insecure bool
	// Version is sent as the user agent.
	Version string
}

// Client talks to one server. It may be used from any goroutine.
type Client struct {
	base    *url.URL
	http    *http.Client
	polls   *http.Client // whose answers take their time
	tls     *tls.Config
	version string
}

// New checks the address and reads the roots. Errors are for people.
func New(c Config) (*Client, error) {
	base, err := parseServer(c.Server, c.Insecure)
	if err != nil {
		return nil, err
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		if tlsConfig.RootCAs, err = roots(c.CAFile); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   2,
		// The WebSocket upgrade needs HTTP/1.1, and the other requests gain nothing from HTTP/2.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	patient := transport.Clone()
	patient.ResponseHeaderTimeout = 0
	return &Client{
		base: base, tls: tlsConfig, version: c.Version,
		http:  &http.Client{Transport: transport, CheckRedirect: noRedirect},
		polls: &http.Client{Transport: patient, CheckRedirect: noRedirect},
	}, nil
}

// Close gives back idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.polls.CloseIdleConnections()
}

// Server is the base URL, without a slash at the end.
func (c *Client) Server() string { return c.base.String() }

// noRedirect refuses to follow: a signed request is meant for one host.
func noRedirect(r *http.Request, _ []*http.Request) error {
	return octopus.Errorf(octopus.CodeInvalid, "The server redirects to %s. Use that address as --server.", r.URL.Scheme+"://"+r.URL.Host)
}

func parseServer(server string, insecure bool) (*url.URL, error) {
	if server == "" {
		return nil, octopus.Errorf(octopus.CodeInvalid, "No server was named. Pass --server with its address, such as https://octopus.example.com.")
	}
	u, err := url.Parse(strings.TrimRight(server, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%q is not a server's address. It looks like https://octopus.example.com.", server)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, octopus.Errorf(octopus.CodeInvalid, "A server's address has no user, query or fragment: https://octopus.example.com.")
	}
	if u.Scheme == "http" && !insecure && !loopback(u.Hostname()) {
		return nil, octopus.Errorf(octopus.CodeInvalid,
			"Plain http to %s could be read by anyone on the way. Use https, or --insecure if you accept that.", u.Host)
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func roots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The file of --ca-file cannot be read: %v.", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s holds no certificate in PEM format.", path)
	}
	return pool, nil
}

// Refused is an answer of the server's that is not what was asked for.
type Refused struct {
	Status     int           // HTTP
	Code       string        // of the problem, "" without one
	Sentence   string        // for people
	RetryAfter time.Duration // 0: the server said nothing
}

// Error is the sentence.
func (r *Refused) Error() string { return r.Sentence }

// Permanent says that trying the same again is no use.
func (r *Refused) Permanent() bool {
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return r.Status >= 400 && r.Status < 500
}

func (c *Client) url(path string) string { return c.base.String() + path }

func unexpected(status int) string {
	return fmt.Sprintf("The server answered %d %s.", status, http.StatusText(status))
}
