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
// Retrying makes no sense where the host forbids it or the request is wrong.
func Failure(err error, where string) plugin.Response {
	switch plugin.Code(err) {
	case "dns":
		return plugin.FailWith(err, "The name of %s cannot be resolved: %v.", where, clean(err))
	case "refused":
		return plugin.FailWith(err, "Nothing listens on %s: the connection was refused.", where)
	case "timeout":
		return plugin.FailWith(err, "%s did not answer in time: %v.", where, clean(err))
	case "unreachable":
		return plugin.FailWith(err, "%s cannot be reached: %v.", where, clean(err))
	case "tls":
		return plugin.FailWith(err, "No trusted TLS connection to %s: %v.", where, clean(err)).WithRetry(false, 0)
	case "denied":
		return plugin.FailWith(err, "Not allowed to reach %s: %v.", where, clean(err))
	case "cancelled":
		return plugin.FailWith(err, "Cancelled while reaching %s.", where)
	}
	return plugin.FailWith(err, "%s: %v.", where, clean(err))
}

// clean drops the full stop that host messages end with, sentences add theirs.
func clean(err error) string {
	s := err.Error()
	for len(s) > 0 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
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
