package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strings"
	"time"

	"octopus/internal/logging"
	"octopus/internal/octopus"
	"octopus/internal/settings"
)

// fill replaces the zero values of c by those of standard, also in the structs within.
func fill(c *Config, standard Config) {
	var walk func(to, from reflect.Value)
	walk = func(to, from reflect.Value) {
		for i := range to.NumField() {
			switch field := to.Field(i); {
			case field.Kind() == reflect.Struct:
				walk(field, from.Field(i))
			case field.IsZero():
				field.Set(from.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(c).Elem(), reflect.ValueOf(standard))
}

// problems collects what is wrong.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// Validate returns every problem of c at once, a sentence each, joined. A value that [Defaults] has and c lacks is
// one.
func (c Config) Validate() error {
	var p problems
	c.validateListen(&p)
	c.validateTLS(&p)
	c.validatePublicURL(&p)
	c.validateTimes(&p)
	if c.Data == "" {
		p.add("server.data (--data) must name a folder.")
	}
	if c.MaxModule < 1<<10 || c.MaxModule > maxModule {
		p.add("plugins.max_module (--max-module) must be 1KiB to 32MiB, which is as much as agents take.")
	}
	if !octopus.Ring(c.Ring).Valid() {
		p.add("plugins.ring (--plugins-ring) is %q, but must be canary, early or all.", c.Ring)
	}
	if c.BackupEvery != 0 && strings.Contains(c.Database, "://") {
		p.add("backups.every (--backup-every) is for SQLite. Back up PostgreSQL with its own tools, such as pg_dump.")
	}
	if c.BackupKeep < 1 {
		p.add("backups.keep (--backup-keep) must be at least 1.")
	}
	if c.ConnectsPerSecond < 0 {
		p.add("agents.connects_per_second (--connects-per-second) cannot be negative.")
	}
	return errors.Join(append(p, c.validateLogging())...)
}

// maxModule is the largest module that agents take, in bytes.
const maxModule = 32 << 20

func (c Config) validateLogging() error {
	if c.Log != nil && c.Logging == (logging.Config{}) {
		return nil // whoever made the log did not need it
	}
	return c.Logging.Validate("logging.")
}

func (c Config) validateListen(p *problems) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		p.add("server.listen (--listen) is %q, but must be an address with a port such as 127.0.0.1:8080 or :8080.", c.Listen)
	}
}

func (c Config) validateTLS(p *problems) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
	case c.TLSCert == "" || c.TLSKey == "":
		p.add("TLS needs both a certificate and a key: server.tls_cert (--tls-cert) and server.tls_key (--tls-key).")
	default:
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			p.add("The TLS certificate cannot be used: %w. Check server.tls_cert (--tls-cert) and server.tls_key (--tls-key).", err)
		}
	}
}

func (c Config) validatePublicURL(p *problems) {
	secure := c.TLSCert != ""
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			p.add("server.public_url (--public-url) is %q, but must be an http or https address such as https://octopus.example.com.", c.PublicURL)
			return
		}
		if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			p.add("server.public_url (--public-url) is %q, but Octopus is served at the root of its host, without anything behind it.", c.PublicURL)
		}
		secure = u.Scheme == "https"
	}
	if c.RequireHTTPS && !secure {
		p.add("server.require_https (--require-https) is set, but browsers and agents would use plain HTTP: give server.public_url an https address, or server.tls_cert and server.tls_key.")
	}
}

// validateTimes holds times to what makes sense: all are needed, and none may be above its bound.
func (c Config) validateTimes(p *problems) {
	for _, t := range []struct {
		name       string
		value      time.Duration
		least, max time.Duration
	}{
		{"agents.lost_after (--lost-after)", c.LostAfter, time.Second, 30 * day},
		{"agents.lost_after_retry (--lost-after-retry)", c.LostAfterRetry, time.Second, 30 * day},
		{"plugins.max_timeout (--max-timeout)", c.MaxTimeout, time.Second, 30 * day},
		{"tasks.timeout (--task-timeout)", c.Timeout, time.Second, 30 * day},
		{"tasks.wait_any (--wait-any)", c.WaitAny, time.Second, 30 * day},
		{"tasks.wait_agent (--wait-agent)", c.WaitAgent, time.Second, 30 * day},
		{"tasks.retry_backoff (--retry-backoff)", c.RetryBackoff, time.Millisecond, time.Hour},
		{"tasks.cancel_grace (--cancel-grace)", c.CancelGrace, time.Millisecond, time.Hour},
		{"tasks.retention (--retention)", c.Retention, time.Minute, 100 * 365 * day},
		{"cache.sessions (--cache-sessions)", c.Cache.Sessions, time.Millisecond, day},
		{"cache.plugins (--cache-plugins)", c.Cache.Plugins, time.Millisecond, day},
		{"cache.users (--cache-users)", c.Cache.Users, time.Millisecond, day},
		{"cache.overview (--cache-overview)", c.Cache.Overview, time.Millisecond, day},
		{"cache.broadcast (--cache-broadcast)", c.Cache.Broadcast, time.Millisecond, day},
		{"cache.plugin_data (--cache-plugin-data)", c.Cache.PluginData, time.Millisecond, day},
	} {
		if t.value < t.least || t.value > t.max {
			p.add("%s is %s, but must be %s to %s.", t.name, settings.Duration(t.value), settings.Duration(t.least), settings.Duration(t.max))
		}
	}
	if c.Heartbeat != 0 && (c.Heartbeat < 100*time.Millisecond || c.Heartbeat > 5*time.Minute) {
		p.add("agents.heartbeat (--heartbeat) is %s, but must be 100ms to 5m.", settings.Duration(c.Heartbeat))
	}
	if c.BackupEvery != 0 && (c.BackupEvery < time.Minute || c.BackupEvery > 366*day) {
		p.add("backups.every (--backup-every) is %s, but must be 0 (never) or 1m to a year.", settings.Duration(c.BackupEvery))
	}
	if c.Timeout > c.MaxTimeout {
		p.add("tasks.timeout (--task-timeout) is %s, above plugins.max_timeout (--max-timeout), which is %s.", settings.Duration(c.Timeout), settings.Duration(c.MaxTimeout))
	}
}
