package sdk

import (
	"context"
)

// SigningKey is a key with which the server signs, or signed, the plugins that it publishes.
type SigningKey struct {
	ID         string `json:"id" doc:"16 hex digits of the SHA-256 of the public key."`
	PublicKey  []byte `json:"public_key" doc:"Ed25519, base64."`
	EndorsedBy string `json:"endorsed_by,omitempty" doc:"The key that vouches for it; agents follow by themselves."`
	Status     string `json:"status" enum:"signs,accepted,retired" doc:"signs: the newest. accepted: what it signed is still taken."`
}

// RotateKey is the body of POST /signing-keys/rotate.
type RotateKey struct {
	Lost bool `json:"lost,omitempty" doc:"The key before it is not there any more and cannot vouch: every agent's owner has to say that the new one is right."`
}

// SigningKeys lists the keys that sign plugins, the oldest first.
func (c *Client) SigningKeys(ctx context.Context) (page Page[SigningKey], err error) {
	err = c.do(ctx, "GET", "/signing-keys", nil, nil, &page)
	return page, err
}

// RotateSigningKey makes a new key. What the one before it signed is taken until that is retired.
func (c *Client) RotateSigningKey(ctx context.Context, r RotateKey) (k SigningKey, err error) {
	err = c.do(ctx, "POST", "/signing-keys/rotate", nil, r, &k)
	return k, err
}

// RetireSigningKey ends the time in which what an older key signed is taken.
func (c *Client) RetireSigningKey(ctx context.Context, id string) error {
	return c.do(ctx, "POST", path("signing-keys", id, "retire"), nil, nil, nil)
}
