package server

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"octopus/internal/logging"
	"octopus/internal/octopus"
	"octopus/server/cache"
)

// Config is everything that a server needs to know. [Defaults] is where to begin; the zero value of a field stands
// for its default too. The tags are the sections and keys of the configuration file: see package settings.
type Config struct {
	// Listen is the address to listen on; port 0 takes a free one. Defaults to 127.0.0.1:8080.
	Listen string `key:"server.listen"`
	// Data is the folder for the SQLite file and everything else that the server writes. Defaults to octopus-data.
	Data string `key:"server.data"`
	// PublicURL is how browsers and agents reach this server. Defaults to the address that it listens on.
	PublicURL string `key:"server.public_url"`
	// TLSCert is a PEM file with the certificate chain; it needs its key. Defaults to plain HTTP.
	TLSCert string `key:"server.tls_cert"`
	// TLSKey is the PEM file with the key of the certificate. Defaults to none.
	TLSKey string `key:"server.tls_key"`
	// RequireHTTPS refuses to start where the public URL is not https, so that no password or token travels in the
	// clear. Defaults to false.
	RequireHTTPS bool `key:"server.require_https"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed. Defaults to loopback.
	TrustedProxies []netip.Prefix `key:"server.trusted_proxies"`
	// Dist is the folder with the executables of "make dist", served to new agents. Defaults to dist beside the
	// executable.
	Dist string `key:"server.dist"`

	// Database is a PostgreSQL URL, or the path of a SQLite file. Defaults to octopus.db in the data folder.
	Database string `key:"database.url" flag:"database" secret:"url"`

	// BackupFolder is the folder for the backups that the server makes of a SQLite database. Defaults to backups in the
	// data folder.
	BackupFolder string `key:"backups.folder" flag:"backup-folder"`
	// BackupEvery is how often a backup is made by itself; 0 is never. Defaults to 0.
	BackupEvery time.Duration `key:"backups.every" flag:"backup-every"`
	// BackupKeep is how many of those are kept, the newest. Defaults to 7.
	BackupKeep int `key:"backups.keep" flag:"backup-keep"`

	// SecretsKeyFile holds the keys that seal secrets and users' parameters. Servers that share a database share it.
	// Defaults to secrets.key in the data folder.
	SecretsKeyFile string `key:"secrets.key_file" flag:"secrets-key-file"`

	// Cache says how long the regions of the cache keep what they read.
	Cache CacheTTLs `prefix:"cache." flags:"cache-"`

	// GrantBuiltins grants the plugins that are shipped what they ask for. Defaults to false.
	GrantBuiltins bool `key:"plugins.grant_builtins"`
	// SelfReview lets administrators publish plugins of their own although another administrator could review them.
	// Defaults to false.
	SelfReview bool `key:"plugins.self_review"`
	// PluginsDir is a folder in which plugins are found, as FILE.wasm or folders with a plugin.yaml: at the start, on
	// change, and on demand. They go into the review. Defaults to none.
	PluginsDir string `key:"plugins.dir" flag:"plugins-dir"`
	// PublishFound publishes what is found in plugins.dir as soon as its checks pass, without a review. Defaults to
	// false.
	PublishFound bool `key:"plugins.dir_publish" flag:"plugins-dir-publish"`
	// Ring is where versions are placed that are published, where nobody says another: canary, early or all. The first
	// version of a plugin is for all. Defaults to all.
	Ring string `key:"plugins.ring" flag:"plugins-ring"`
	// SigningKey is the file of the key that signs plugins; servers of one database share its content. Defaults to
	// signing.key in the data folder.
	SigningKey string `key:"plugins.signing_key"`
	// MaxModule is the size above which a module is refused when it is uploaded. Defaults to 32MiB.
	MaxModule int64 `key:"plugins.max_module"`
	// MaxTimeout is the longest that an execution may ask to run. Defaults to 24h.
	MaxTimeout time.Duration `key:"plugins.max_timeout"`

	// Heartbeat fixes how often agents say that they live. Defaults to 10s to 50s, by the number of agents.
	Heartbeat time.Duration `key:"agents.heartbeat"`
	// LostAfter is the silence after which a started execution is lost. Defaults to 15m.
	LostAfter time.Duration `key:"agents.lost_after"`
	// LostAfterRetry is that silence for executions that are tried again when they are lost. Defaults to 90s.
	LostAfterRetry time.Duration `key:"agents.lost_after_retry"`
	// ConnectsPerSecond bounds how many agents are let in a second, so that all that come back at once do not drown
	// the database. Defaults to 250 for each core, after a slower start.
	ConnectsPerSecond int `key:"agents.connects_per_second"`

	// Timeout is how long an execution may run where neither the task nor the plugin says. Defaults to 30s.
	Timeout time.Duration `key:"tasks.timeout" flag:"task-timeout"`
	// WaitAny is how long work for any or all agents waits for one where the task does not say. Defaults to 1h.
	WaitAny time.Duration `key:"tasks.wait_any"`
	// WaitAgent is how long work for one agent waits for it where the task does not say. Defaults to 24h.
	WaitAgent time.Duration `key:"tasks.wait_agent"`
	// RetryBackoff is the pause before the first retry; it doubles up to an hour. Defaults to 5s.
	RetryBackoff time.Duration `key:"tasks.retry_backoff"`
	// CancelGrace is how long a plugin may tidy up after a cancel. Defaults to 10s.
	CancelGrace time.Duration `key:"tasks.cancel_grace"`
	// Retention is how long executions that have ended are kept, and join tokens that have expired or were revoked.
	// Defaults to 30d.
	Retention time.Duration `key:"tasks.retention"`

	// Logging says what is logged, how and where, for whoever makes Log.
	Logging logging.Config `prefix:"logging." flags:"log-"`

	// Listener is used instead of Listen, and closed when the server ends. Defaults to none.
	Listener net.Listener
	// Announce is told the one-time setup code when nobody can sign in yet. Defaults to writing it to Log.
	Announce func(code string)
	// Log receives what the server does. Defaults to slog.Default().
	Log *slog.Logger
}

// CacheTTLs say how long entries of each region of the cache live. What changes on this server, or on one that
// shares its bus, is dropped at once; a TTL bounds how old the rest may be.
type CacheTTLs struct {
	// Sessions are who is signed in. Defaults to 1m.
	Sessions time.Duration `key:"sessions"`
	// Plugins are versions, manifests and grants. Defaults to 5m.
	Plugins time.Duration `key:"plugins"`
	// Users are accounts and roles. Defaults to 1m.
	Users time.Duration `key:"users"`
	// Overview is what the home page counts. Defaults to 2s.
	Overview time.Duration `key:"overview"`
	// Broadcast is what plugins on every agent can read. Defaults to 5m.
	Broadcast time.Duration `key:"broadcast"`
	// PluginData is what plugins keep on the server. Defaults to 1m.
	PluginData time.Duration `key:"plugin_data"`
}

// regions are the TTLs by region.
func (t CacheTTLs) regions() map[cache.Region]time.Duration {
	return map[cache.Region]time.Duration{
		cache.Sessions: t.Sessions, cache.Plugins: t.Plugins, cache.Users: t.Users,
		cache.Overview: t.Overview, cache.Broadcast: t.Broadcast, cache.PluginData: t.PluginData,
	}
}

// loopback is who may speak for others unless said otherwise: a proxy on the same machine.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// Defaults is what the comments of Config say.
func Defaults() Config {
	ttl := cache.DefaultTTLs()
	return Config{
		Listen: "127.0.0.1:8080", Data: "octopus-data", TrustedProxies: loopback(),
		Cache: CacheTTLs{
			Sessions: ttl[cache.Sessions], Plugins: ttl[cache.Plugins], Users: ttl[cache.Users],
			Overview: ttl[cache.Overview], Broadcast: ttl[cache.Broadcast], PluginData: ttl[cache.PluginData],
		},
		BackupKeep: 7,
		Ring:       string(octopus.RingAll),
		MaxModule:  32 << 20, MaxTimeout: day,
		LostAfter: 15 * time.Minute, LostAfterRetry: 90 * time.Second,
		Timeout: 30 * time.Second, WaitAny: time.Hour, WaitAgent: day,
		RetryBackoff: 5 * time.Second, CancelGrace: 10 * time.Second, Retention: 30 * day,
		Logging: logging.Defaults(),
	}
}

const day = 24 * time.Hour

// withDefaults returns c with its defaults filled in.
func (c Config) withDefaults() Config {
	fill(&c, Defaults())
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Announce == nil {
		log := c.Log
		c.Announce = func(code string) { log.Warn("nobody can sign in yet: open the setup page", "code", code) }
	}
	return c
}
