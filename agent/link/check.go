package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"octopus/internal/wire"
)

// Step is one part of the way to the server, for `octopus agent check`.
type Step struct {
	Name string
	Do   func(context.Context) (note string, err error)
	Next string // what a person may do when it fails
}

// Steps are the way to the server up to its nonce, in the order in which they build on each other.
func (c *Client) Steps() []Step {
	target := c.hostPort(c.base)
	steps := []Step{{"proxy", c.checkProxy, "Look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY."}}
	if proxy, err := c.proxy(); err == nil && proxy != nil {
		target = c.hostPort(proxy) // the server's name is looked up by the proxy
	}
	host, _, _ := net.SplitHostPort(target)
	steps = append(steps,
		Step{"dns", func(ctx context.Context) (string, error) { return checkDNS(ctx, host) },
			"Check the name, and this machine's name servers."},
		Step{"tcp", func(ctx context.Context) (string, error) { return checkTCP(ctx, target) },
			"A firewall may be in the way, the server may be down, or its port may be another one."})
	if c.base.Scheme == "https" {
		steps = append(steps, Step{"tls", c.checkTLS,
			"Where the certificate comes from your own authority, pass its certificate with --ca-file. Also check this machine's clock."})
	}
	return append(steps, Step{"nonce", func(ctx context.Context) (string, error) {
		_, err := c.Nonce(ctx)
		return "the server answers", err
	}, "Something answers that is not Octopus, or a proxy changes its answers."})
}

func (c *Client) hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (c *Client) proxy() (*url.URL, error) {
	return http.ProxyFromEnvironment(&http.Request{URL: c.base})
}

func (c *Client) checkProxy(context.Context) (string, error) {
	proxy, err := c.proxy()
	switch {
	case err != nil:
		return "", err
	case proxy == nil:
		return "none", nil
	}
	return proxy.Redacted(), nil
}

func checkDNS(ctx context.Context, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	list, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return "", fmt.Errorf("there is no address for %s", host)
		}
		return "", err
	}
	return strings.Join(list, ", "), nil
}

func checkTCP(ctx context.Context, target string) (string, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", target)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return "connected to " + conn.RemoteAddr().String(), nil
}

// checkTLS makes a request, so that a proxy in between is used as it will be, and tells what was agreed.
func (c *Client) checkTLS(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(wire.PathNonce), nil)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return "", err
	}
	resp.Body.Close()
	if resp.TLS == nil || len(resp.TLS.PeerCertificates) == 0 {
		return "", errors.New("the server did not speak TLS")
	}
	leaf := resp.TLS.PeerCertificates[0]
	return fmt.Sprintf("%s, certificate of %s until %s", tls.VersionName(resp.TLS.Version),
		leaf.Issuer.String(), leaf.NotAfter.UTC().Format(time.DateOnly)), nil
}

// KnockUnsigned asks for the agents' WebSocket without saying who asks, which the hub refuses with 401.
func (c *Client) KnockUnsigned(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := c.dial(ctx, http.Header{"User-Agent": {c.userAgent()}, wire.HeaderVersion: {strconv.Itoa(wire.Version)}})
	if err != nil {
		return err
	}
	conn.CloseNow()
	return errors.New("the server opened a WebSocket for a stranger")
}

// KnockPoll sends a poll of a session that there is not. The hub refuses it with 412 for an agent that it knows,
// with 401 for a stranger: both prove that long polls come through.
func (c *Client) KnockPoll(ctx context.Context, id Identity, known bool) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	header, want := http.Header{"User-Agent": {c.userAgent()}, wire.HeaderVersion: {strconv.Itoa(wire.Version)}}, http.StatusUnauthorized
	if known {
		var err error
		if header, err = c.sign(ctx, id, http.MethodPost, wire.PathHeartbeat); err != nil {
			return err
		}
		want = http.StatusPreconditionFailed
	}
	_, err := c.poll(ctx, header, &wire.Poll{Session: strings.ToLower(rand.Text()), Number: 1})
	var refusal *Refused
	switch {
	case errors.As(err, &refusal) && refusal.Status == want && refusal.Code != "":
		return nil
	case err == nil:
		return errors.New("the server answered a poll of a session that there is not")
	}
	return err
}
