package auth

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"octopus/internal/octopus"
	"octopus/server/cache"
	"octopus/server/store"
)

// Config is what [New] needs.
type Config struct {
	Store *store.Store
	Cache *cache.Cache
	// Log receives sign-ins, refusals and changes of users; never a secret. Defaults to silence.
	Log *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// PublicURL is how people and agents reach this server, such as "https://octopus.example.com". An agent's
	// signature must name its host; where it is a loopback address, the host that was asked for will do too.
	// Defaults to "".
	PublicURL string
	// Secure marks cookies as for TLS only. Defaults to false; set it whenever PublicURL is https.
	Secure bool
}

// Times of sessions, links, nonces and tokens.
const (
	SessionTTL   = 14 * 24 * time.Hour // sliding: renewed when half of it is gone
	LoginLinkTTL = 24 * time.Hour
	NonceTTL     = 60 * time.Second
	JoinTokenTTL = 24 * time.Hour // of a join token, unless it says otherwise
)

// CookieName is the cookie of a signed-in browser.
const CookieName = "octopus_session"

// Auth knows who is calling. Make it with [New]; its methods may be called from any goroutine.
type Auth struct {
	store  *store.Store
	cache  *cache.Cache
	log    *slog.Logger
	now    func() time.Time
	host   string // of the public URL, canonical; "" when unknown
	secure bool

	hashing hasher   // bounds the memory of password checks
	slow    throttle // failures that have no row: unknown users, addresses, the setup code
	used    nonces   // those that were spent

	nonceKey []byte // static; from the store, shared by all servers
}

// sweepEvery is how often [Auth.Run] gives memory back.
const sweepEvery = time.Minute

// New returns an Auth. It reads the key of the nonces from the store, or makes it.
func New(c Config) (*Auth, error) {
	a := &Auth{
		store: c.Store, cache: c.Cache, log: c.Log, now: c.Now, secure: c.Secure,
		hashing: newHasher(), slow: newThrottle(), used: newNonces(),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		a.host = canonicalHost(u.Host)
	}
	var err error
	if a.nonceKey, err = c.Store.Secret(context.Background(), "agent nonce", 32); err != nil {
		return nil, fmt.Errorf("nonce key: %w", err)
	}
	return a, nil
}

// Run gives back the memory of failures and nonces that no longer matter, until ctx ends. Nothing breaks
// without it.
func (a *Auth) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.slow.sweep(a.now())
			a.used.turn(a.now())
		}
	}
}

// user returns a user by id through the cache.
func (a *Auth) user(ctx context.Context, id string) (octopus.User, error) {
	return cache.Load(a.cache, cache.Users, userKey(id), func() (octopus.User, error) {
		return a.store.User(ctx, id)
	})
}

func userKey(id string) string { return "auth:" + id }

// forget drops a user from every server's cache.
func (a *Auth) forget(userID string) { a.cache.Invalidate(cache.Users, userKey(userID)) }
