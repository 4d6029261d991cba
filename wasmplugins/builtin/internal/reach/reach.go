// Package reach turns what the host said of a connection into facts and
// sentences that the built-in checks share.
package reach

import (
	"math"
	"strconv"
	"strings"
	"time"

	"octopus/sdk/plugin"
)

// Certificate is what people want to know of a peer's own certificate.
type Certificate struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	DNSNames    []string  `json:"dns_names,omitempty"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"` // whole days, negative once expired
	Version     string    `json:"version"`   // of the protocol: "TLS 1.3"
	Verified    bool      `json:"verified"`
	VerifyError string    `json:"verify_error,omitempty"`
	SHA256      string    `json:"sha256"`
}

// Leaf describes the peer's certificate; nil without TLS.
func Leaf(tls *plugin.TLS, now time.Time) *Certificate {
	if tls == nil || len(tls.Certificates) == 0 {
		return nil
	}
	c := tls.Certificates[0]
	return &Certificate{
		Subject: c.Subject, Issuer: c.Issuer, DNSNames: c.DNSNames,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		DaysLeft: int(math.Floor(float64(c.NotAfter.Unix()-now.Unix()) / 86400)),
		Version:  tls.Version, Verified: tls.Verified, VerifyError: tls.VerifyError,
		SHA256: c.SHA256,
	}
}

// Failure answers a host call that could not reach where ("web.example:443").
// Where the host's message names the place it is the sentence, else one is
// made of it. Retrying makes no sense where TLS is refused.
func Failure(err error, where string) plugin.Response {
	message := strings.TrimRight(strings.TrimPrefix(err.Error(), where+": "), ".")
	host := strings.Trim(where[:max(0, len(where)-len(port(where)))], "[]")
	named := strings.Contains(message, host)
	switch code := plugin.Code(err); {
	case code == "refused":
		return plugin.FailWith(err, "Nothing listens on %s: the connection was refused.", where)
	case code == "cancelled":
		return plugin.FailWith(err, "Cancelled while reaching %s.", where)
	case code == "denied":
		return plugin.FailWith(err, "Not allowed: %s.", message)
	case code == "tls" && !named:
		return plugin.FailWith(err, "No trusted TLS connection to %s: %s.", where, message).WithRetry(false, 0)
	case code == "tls":
		return plugin.FailWith(err, "%s.", message).WithRetry(false, 0)
	case code == "dns" && !named:
		return plugin.FailWith(err, "The name of %s cannot be resolved: %s.", where, message)
	case code == "timeout" && !named:
		return plugin.FailWith(err, "%s did not answer in time: %s.", where, message)
	case code == "unreachable" && !named:
		return plugin.FailWith(err, "%s cannot be reached: %s.", where, message)
	case named:
		return plugin.FailWith(err, "%s.", message)
	}
	return plugin.FailWith(err, "%s: %s.", where, message)
}

// port returns ":443" of "web.example:443" and "[::1]:443", "" without one.
func port(where string) string {
	i := strings.LastIndexByte(where, ':')
	if i < 0 || strings.Count(where, ":") > 1 && !strings.Contains(where, "]:") {
		return ""
	}
	return where[i:]
}

// Milliseconds rounds to a tenth: more digits are noise.
func Milliseconds(ms float64) float64 { return math.Round(ms*10) / 10 }

// Count writes a number with its noun: "1 disk", "2 disks".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// HostPort writes an address as net.JoinHostPort does; package net would add
// 180 KB to a plugin.
func HostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}
