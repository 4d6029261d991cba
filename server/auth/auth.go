package auth

import (
	"log/slog"
	"time"

	"octopus/server/cache"
	"octopus/server/store"
)

// Config is what [New] needs.
type Config struct {
	Store *store.Store
	Cache *cache.Cache
	Log   *slog.Logger // Defaults to discarding
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// PublicURL is the address that people and agents use, such as "https://octopus.example.com". Agents'
	// signatures may name its host. Defaults to "": only the request's own Host counts.
	PublicURL string
	// Secure marks cookies as for TLS only. Defaults to false; set it whenever PublicURL is https.
	Secure bool
	// TrustedProxies are networks whose X-Forwarded-For is believed by [Auth.ClientIP]. Defaults to none.
	TrustedProxies []string
}

// Times of sessions, links and delays.
const (
	SessionTTL   = 14 * 24 * time.Hour // sliding: renewed when half of it is gone
	LoginLinkTTL = 24 * time.Hour
	NonceTTL     = 60 * time.Second
	JoinTokenTTL = 24 * time.Hour // default of a join token
)

// CookieName is the cookie of a signed-in browser.
const CookieName = "octopus_session"
