package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"
)

// Config is everything that a server needs to know. The zero value of each field stands for its default.
type Config struct {
	// Listen is the address to listen on; port 0 takes a free one. Defaults to "127.0.0.1:8080".
	Listen string
	// Data is the folder for the SQLite file and everything else the server writes. Defaults to "octopus-data".
	Data string
	// Database is a PostgreSQL URL, or a path of a SQLite file. Defaults to octopus.db in Data.
	Database string
	// PublicURL is how browsers and agents reach this server. Defaults to the address that it listens on.
	PublicURL string
	// TLSCert and TLSKey are PEM files; both or neither. Defaults to plain HTTP.
	TLSCert, TLSKey string
	// TrustedProxies may say whom they speak for in X-Forwarded-For. Defaults to loopback.
	TrustedProxies []netip.Prefix
	// Dist is a folder with the executables that "make dist" built, served to new agents. Defaults to "dist"
	// beside the executable.
	Dist string
	// GrantBuiltins grants the plugins that we ship what they ask for. Defaults to false: deny.
	GrantBuiltins bool
	// LostAfter is the silence after which a started execution is lost. Defaults to 15 minutes, at most its
	// deadline; 90 seconds where it may be retried.
	LostAfter time.Duration
	// Retention is how long executions that have ended are kept. Defaults to 30 days.
	Retention time.Duration
	// Announce is told the one-time setup code when nobody can sign in yet. Defaults to writing it to Log.
	Announce func(code string)
	// Log receives what the server does. Defaults to slog.Default().
	Log *slog.Logger
}

// loopback is who may speak for others unless said otherwise: a proxy on the same machine.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// withDefaults returns c with its defaults filled in.
func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Data == "" {
		c.Data = "octopus-data"
	}
	if c.TrustedProxies == nil {
		c.TrustedProxies = loopback
	}
	if c.Retention == 0 {
		c.Retention = 30 * 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Announce == nil {
		log := c.Log
		c.Announce = func(code string) { log.Warn("nobody can sign in yet: open the setup page", "code", code) }
	}
	return c
}

// Validate returns every problem of c at once, a sentence each.
func (c Config) Validate() error {
	var problems []error
	if (c.TLSCert == "") != (c.TLSKey == "") {
		problems = append(problems, errors.New("TLS needs both a certificate and a key: give --tls-cert and --tls-key."))
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			problems = append(problems, fmt.Errorf("the public URL %q is not an http or https address such as https://octopus.example.com.", c.PublicURL))
		} else if u.Path != "" && u.Path != "/" {
			problems = append(problems, fmt.Errorf("the public URL has the path %q: Octopus is served at the root of its host.", u.Path))
		}
	}
	if c.LostAfter < 0 || c.Retention < 0 {
		problems = append(problems, errors.New("times cannot be negative."))
	}
	return errors.Join(problems...)
}
