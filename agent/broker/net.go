package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	probeTimeout  = 10 * time.Second
	lookupTimeout = 5 * time.Second
)

type probeRequest struct {
	Host           string  `json:"host"`
	Port           int     `json:"port"`
	TimeoutSeconds float64 `json:"timeout_seconds"`
	TLS            bool    `json:"tls"`
	ServerName     string  `json:"server_name"`
}

type probeReply struct {
	OK        bool      `json:"ok"`
	Address   string    `json:"address,omitempty"`
	ConnectMS float64   `json:"connect_ms,omitempty"`
	TLSMS     float64   `json:"tls_ms,omitempty"`
	TLS       *tlsFacts `json:"tls,omitempty"`
}

// mayReach checks a host and port (0: the name alone) against grant and policy.
func (b *Broker) mayReach(host string, port int) *Error {
	what := "net to " + host
	if port != 0 {
		what = "net to " + hostPort(host, port)
	}
	if b.config.Grant.Net == nil || !b.config.Grant.Net.Allows(host, port) {
		return b.notGranted(what)
	}
	if !b.config.Policy.Net(host, port) {
		return b.notAllowed(what)
	}
	return nil
}

// probe connects, and with TLS says what the peer's certificates are, good or bad.
func (b *Broker) probe(ctx context.Context, req []byte) (any, *Error) {
	var r probeRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	host := asciiHost(strings.Trim(r.Host, "[]"))
	if host == "" {
		return nil, invalid("host", "it must be a name or an address.")
	}
	if r.Port < 1 || r.Port > 65535 {
		return nil, invalid("port", "it must be a number from 1 to 65535.")
	}
	timeout, failure := within(r.TimeoutSeconds, probeTimeout, probeTimeout)
	if failure != nil {
		return nil, failure
	}
	var reply probeReply
	if failure := b.mayReach(host, r.Port); failure != nil {
		return reply, failure
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer := b.dialer("net", b.config.Grant.Net.Addresses, b.config.Policy.NetAddresses())
	start := time.Now()
	conn, err := dialer.DialContext(ctx, "tcp", hostPort(host, r.Port))
	if err != nil {
		return reply, network(ctx, hostPort(host, r.Port), err)
	}
	defer conn.Close()
	reply.OK, reply.Address, reply.ConnectMS = true, conn.RemoteAddr().String(), millis(time.Since(start))
	if r.TLS {
		if r.ServerName == "" {
			r.ServerName = host
		}
		failure := b.handshake(ctx, conn, r, &reply)
		reply.OK = failure == nil
		return reply, failure
	}
	return reply, nil
}

func (b *Broker) handshake(ctx context.Context, conn net.Conn, r probeRequest, reply *probeReply) *Error {
	roots, failure := b.roots()
	if failure != nil {
		return failure
	}
	start := time.Now()
	client := tls.Client(conn, &tls.Config{
		ServerName:         r.ServerName,
		InsecureSkipVerify: true, // verified below: a probe reports bad certificates
		MinVersion:         tls.VersionTLS10,
		NextProtos:         []string{"h2", "http/1.1"},
	})
	if err := client.HandshakeContext(ctx); err != nil {
		if isTimeout(err) || errors.Is(err, context.Canceled) {
			return network(ctx, reply.Address, err)
		}
		return errorf("tls", "%s does not complete a TLS handshake: %s.", reply.Address, plain(err))
	}
	reply.TLSMS = millis(time.Since(start))
	state := client.ConnectionState()
	reply.TLS = factsOf(state, r.ServerName)
	reply.TLS.verify(state, roots)
	return nil
}

type lookupRequest struct {
	Name           string  `json:"name"`
	Type           string  `json:"type"`
	TimeoutSeconds float64 `json:"timeout_seconds"`
}

type lookupReply struct {
	Records    []record `json:"records"`
	DurationMS float64  `json:"duration_ms"`
}

type record struct {
	Type       string  `json:"type"`
	Value      string  `json:"value"`
	Preference *uint16 `json:"preference,omitempty"`
	Priority   *uint16 `json:"priority,omitempty"`
	Weight     *uint16 `json:"weight,omitempty"`
	Port       *uint16 `json:"port,omitempty"`
}

// lookup asks the name servers of this machine.
func (b *Broker) lookup(ctx context.Context, req []byte) (any, *Error) {
	r := lookupRequest{Type: "A"}
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	r.Type = strings.ToUpper(r.Type)
	name := asciiHost(r.Name)
	if name == "" {
		return nil, invalid("name", "it must be a name, or for PTR an address.")
	}
	timeout, failure := within(r.TimeoutSeconds, lookupTimeout, probeTimeout)
	if failure != nil {
		return nil, failure
	}
	if failure := b.mayReach(name, 0); failure != nil {
		return nil, failure
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resolver := b.config.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	reply := lookupReply{Records: []record{}}
	start := time.Now()
	var err error
	reply.Records, err = resolve(ctx, resolver, name, r.Type)
	reply.DurationMS = millis(time.Since(start))
	if reply.Records == nil {
		reply.Records = []record{}
	}
	return reply, lookupError(ctx, name, r.Type, err, len(reply.Records))
}

func lookupError(ctx context.Context, name, kind string, err error, found int) *Error {
	var known *Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &known):
		return known
	case err == nil && found > 0:
		return nil
	case err == nil, errors.As(err, &dns) && dns.IsNotFound:
		return errorf("not_found", "There is no %s record for %s.", kind, name)
	case isTimeout(err):
		return errorf("timeout", "The name servers did not answer for %s in time.", name)
	}
	return network(ctx, name, err)
}

func resolve(ctx context.Context, r *net.Resolver, name, kind string) (out []record, err error) {
	dotted := name
	if strings.Contains(name, ".") {
		dotted += "." // absolute: no search domains
	}
	add := func(v string) { out = append(out, record{Type: kind, Value: strings.TrimSuffix(v, ".")}) }
	switch kind {
	case "A", "AAAA":
		var list []netip.Addr
		list, err = r.LookupNetIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[kind], dotted)
		for _, addr := range list {
			add(addr.Unmap().String())
		}
	case "CNAME":
		var target string
		target, err = r.LookupCNAME(ctx, dotted)
		if target != "" && !strings.EqualFold(strings.TrimSuffix(target, "."), name) { // the name itself means that there is none
			add(target)
		}
	case "MX":
		var list []*net.MX
		list, err = r.LookupMX(ctx, dotted)
		for _, mx := range list {
			out = append(out, record{Type: kind, Value: strings.TrimSuffix(mx.Host, "."), Preference: &mx.Pref})
		}
	case "NS":
		var list []*net.NS
		list, err = r.LookupNS(ctx, dotted)
		for _, ns := range list {
			add(ns.Host)
		}
	case "TXT":
		var list []string
		list, err = r.LookupTXT(ctx, dotted)
		for _, text := range list {
			out = append(out, record{Type: kind, Value: text})
		}
	case "PTR":
		if _, bad := netip.ParseAddr(name); bad != nil {
			return nil, invalid("name", "PTR asks for an address.")
		}
		var list []string
		list, err = r.LookupAddr(ctx, name)
		for _, host := range list {
			add(host)
		}
	case "SRV":
		var list []*net.SRV
		_, list, err = r.LookupSRV(ctx, "", "", dotted)
		for _, s := range list {
			out = append(out, record{Type: kind, Value: strings.TrimSuffix(s.Target, "."), Priority: &s.Priority, Weight: &s.Weight, Port: &s.Port})
		}
	default:
		return nil, invalid("type", "it must be one of A, AAAA, CNAME, MX, NS, TXT, PTR and SRV.")
	}
	return out, err
}
