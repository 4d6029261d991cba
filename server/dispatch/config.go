package dispatch

import (
	"log/slog"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store"
)

// Config says what a dispatcher stands on. Zero times stand for their defaults.
type Config struct {
	Store   Store
	Bus     bus.Bus
	Catalog Catalog
	// Vault opens secrets and users' parameters. Defaults to none: plugins get neither.
	Vault Vault
	// Log receives what operators should know. Defaults to silence.
	Log *slog.Logger
	// ServerID is this process in the database.
	ServerID string
	// Version of the server, told to agents.
	Version string
	// Restore is the latest restore of a backup into the database. Defaults to none.
	Restore store.Restore
	// Now is the clock for what is kept in memory. The database's own clock stamps rows. Defaults to time.Now.
	Now func() time.Time

	// OfferTTL is how long an offer waits for its accept. Defaults to 10 s.
	OfferTTL time.Duration
	// LostAfter is the silence after which a started execution is lost; with on_lost retry it is LostAfterRetry.
	// Default to 15 minutes and 90 s.
	LostAfter, LostAfterRetry time.Duration
	// CancelGrace is how long a guest may clean up after a cancel. Defaults to 10 s.
	CancelGrace time.Duration
	// TimeoutSlack is how long after an execution's timeout the server ends it without its agent. Defaults to 30 s.
	TimeoutSlack time.Duration
	// MaxTimeout is the ceiling of a timeout. Defaults to 24 hours.
	MaxTimeout time.Duration
	// Timeout is how long an execution may run where neither its task nor its plugin says. Defaults to 30 s.
	Timeout time.Duration
	// WaitAny is how long work for any or all agents waits where nothing else is said, WaitAgent work for one agent.
	// Default to octopus.WaitTTLPool and octopus.WaitTTLAgent.
	WaitAny, WaitAgent time.Duration
	// RetryBackoff is the pause before the first retry; it doubles up to an hour. Defaults to 5 s.
	RetryBackoff time.Duration
	// Heartbeat fixes the heartbeats' interval. Defaults to agents/2000 s, at least 10 s, at most 50 s.
	Heartbeat time.Duration
	// Sweep is how often due timers are looked for. Defaults to 1 s.
	Sweep time.Duration
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.OfferTTL, 10 * time.Second}, {&c.LostAfter, 15 * time.Minute}, {&c.LostAfterRetry, 90 * time.Second},
		{&c.CancelGrace, 10 * time.Second}, {&c.TimeoutSlack, 30 * time.Second}, {&c.MaxTimeout, 24 * time.Hour},
		{&c.Timeout, 30 * time.Second}, {&c.WaitAny, octopus.WaitTTLPool}, {&c.WaitAgent, octopus.WaitTTLAgent},
		{&c.RetryBackoff, 5 * time.Second}, {&c.Sweep, time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return c
}
