package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/server/auth"
)

// Bootstrapped is what a new installation's first administrator needs. It is shown once.
type Bootstrapped struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	APIToken  string `json:"api_token"`
	JoinToken string `json:"join_token"`
}

// bootstrapJoinTTL is how long the join token of a bootstrap can be used, for any number of machines.
const bootstrapJoinTTL = 24 * time.Hour

// Bootstrap makes the first administrator of a database that nobody serves yet, with an API token and a join
// token. It refuses a database that already has users.
func Bootstrap(ctx context.Context, cfg Config, admin string) (b Bootstrapped, err error) {
	cfg.Listen = "127.0.0.1:0" // nothing is served: the socket is closed again
	cfg.TLSCert, cfg.TLSKey, cfg.RequireHTTPS = "", "", false
	s, err := New(ctx, cfg)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if !s.auth.SetupNeeded(ctx) {
		return b, octopus.Errorf(octopus.CodeConflict,
			"This database already has users. Sign in as an administrator, and make further users there.")
	}
	user, password, err := s.auth.Bootstrap(ctx, admin)
	if err != nil {
		return b, err
	}
	b.Username, b.Password = user.Username, password
	subject := auth.Subject{UserID: user.ID, Username: user.Username, Role: user.Role, Kind: "local"}
	if _, b.APIToken, err = s.auth.CreateToken(ctx, subject, "bootstrap", user.Role, 0); err != nil {
		return b, fmt.Errorf("API token: %w", err)
	}
	if _, b.JoinToken, err = s.auth.CreateJoinToken(ctx, subject, "bootstrap", nil, 0, bootstrapJoinTTL); err != nil {
		return b, fmt.Errorf("join token: %w", err)
	}
	return b, nil
}
