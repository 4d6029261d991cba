package auth

import (
	"context"

	"octopus/internal/octopus"
)

type refusalKey struct{}

// withRefusal remembers why a cookie or token was not good, so that [Require] can say it.
func withRefusal(ctx context.Context, err error) context.Context {
	return context.WithValue(ctx, refusalKey{}, err)
}

// Require returns the caller, or why there is none: nobody signed in, the session ended, the token was revoked.
// The error's code is CodeUnauthenticated, unless the store failed.
func Require(ctx context.Context) (Subject, error) {
	if s, ok := FromContext(ctx); ok {
		return s, nil
	}
	if err, ok := ctx.Value(refusalKey{}).(error); ok {
		return Subject{}, err
	}
	return Subject{}, octopus.Errorf(octopus.CodeUnauthenticated, "Sign in first, or send an API token as \"Authorization: Bearer oct_…\".")
}

// Allow is [Require] and [Can] in one: the caller, if it may do a to o.
func Allow(ctx context.Context, a Action, o Object) (Subject, error) {
	s, err := Require(ctx)
	if err != nil {
		return Subject{}, err
	}
	return s, Can(s, a, o)
}
