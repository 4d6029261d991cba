package auth

import (
	"context"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
)

// metaLink is the prefix of login links in the meta table; the hash of the secret follows.
const metaLink = "auth.link."

// metaLinks lists the links that were not spent, so that expired ones can be removed when another is made.
const metaLinks = "auth.links"

// maxLinks is how many links are good at a time; making one more ends another.
const maxLinks = 100

type loginLink struct {
	UserID  string    `json:"user_id"`
	Expires time.Time `json:"expires"`
}

// LoginLink makes a secret that signs a user in once, from this machine, within [LoginLinkTTL].
func (a *Auth) LoginLink(ctx context.Context, username string) (secret string, err error) {
	user, err := a.store.User(ctx, username)
	if err != nil {
		return "", err
	}
	secret = newSecret("")
	link := loginLink{UserID: user.ID, Expires: a.now().Add(LoginLinkTTL).UTC()}
	value, err := json.Marshal(link)
	if err != nil {
		return "", err
	}
	if err := a.store.SetMeta(ctx, metaLink+hashKey(secret), string(value)); err != nil {
		return "", err
	}
	return secret, a.noteLink(ctx, hashKey(secret), link.Expires)
}

// noteLink adds a link to the list and removes those that have expired or are too many.
func (a *Auth) noteLink(ctx context.Context, key string, expires time.Time) error {
	listed, err := a.store.Meta(ctx, metaLinks)
	if err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
		return err
	}
	old, kept := map[string]time.Time{}, map[string]time.Time{key: expires}
	_ = json.Unmarshal([]byte(listed), &old) // an empty or damaged list only leaves rows behind
	for k, at := range old {
		if a.now().Before(at) && len(kept) < maxLinks {
			kept[k] = at
		} else if _, err := a.store.TakeMeta(ctx, metaLink+k); err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
			return err
		}
	}
	value, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return a.store.SetMeta(ctx, metaLinks, string(value))
}

// CheckLoginLink tells whose link it is without spending it: the page shows the name on its one button.
func (a *Auth) CheckLoginLink(ctx context.Context, secret, ip string) (octopus.User, error) {
	if err := linkFrom(ip); err != nil {
		return octopus.User{}, err
	}
	value, err := a.store.Meta(ctx, metaLink+hashKey(secret))
	return a.linkUser(ctx, value, err)
}

// ConsumeLoginLink spends a link and opens a session. Only the first of two calls succeeds.
func (a *Auth) ConsumeLoginLink(ctx context.Context, secret, ip, userAgent string) (cookie string, err error) {
	if err := linkFrom(ip); err != nil {
		return "", err
	}
	value, err := a.store.TakeMeta(ctx, metaLink+hashKey(secret))
	user, err := a.linkUser(ctx, value, err)
	if err != nil {
		return "", err
	}
	if user, err = a.succeed(ctx, user.ID, "", false, a.now()); err != nil {
		return "", err
	}
	return a.open(ctx, user, ip, userAgent)
}

func linkFrom(ip string) error {
	if isLoopback(ip) {
		return nil
	}
	return octopus.Errorf(octopus.CodeDenied, "A login link works only in a browser on the server's own machine. Sign in with your password.")
}

func (a *Auth) linkUser(ctx context.Context, value string, err error) (octopus.User, error) {
	if err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
		return octopus.User{}, err
	}
	var link loginLink
	if json.Unmarshal([]byte(value), &link) != nil || !a.now().Before(link.Expires) {
		return octopus.User{}, octopus.Errorf(octopus.CodeDenied, "This login link was used or has expired. octopus open makes another.")
	}
	return a.activeUser(ctx, link.UserID)
}
