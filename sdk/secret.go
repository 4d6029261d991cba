package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Secret is a value that plugins may use where a grant binds it. The value itself is never shown again.
type Secret struct {
	Name       string      `json:"name"`
	CreatedAt  time.Time   `json:"created_at"`
	CreatedBy  string      `json:"created_by"`
	UpdatedAt  time.Time   `json:"updated_at"`
	UpdatedBy  string      `json:"updated_by"`
	LastUsed   time.Time   `json:"last_used,omitzero" doc:"To the minute."`
	LastUsedBy string      `json:"last_used_by,omitempty" doc:"The plugin that used it last."`
	Grants     []SecretUse `json:"grants,omitempty" doc:"The plugin versions whose grants bind it."`
}

// SecretUse is a plugin version that may use a secret.
type SecretUse struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	As      string `json:"as" doc:"The name that the plugin's manifest gives it."`
	Expose  string `json:"expose" enum:"header,value" doc:"header: the agent puts it into requests; value: the plugin may read it."`
}

// SetSecret is the body of PUT /secrets/{name}.
type SetSecret struct {
	Value string `json:"value" minLength:"1" maxLength:"65536" format:"password" writeOnly:"true"`
}

// RotateSecrets is the body of POST /secrets/rotate-key.
type RotateSecrets struct {
	Forget bool `json:"forget,omitempty" doc:"Remove what cannot be read any more because its key is lost, instead of stopping."`
}

// RotatedSecrets says what a new key did.
type RotatedSecrets struct {
	Key     string `json:"key" doc:"The id of the key that seals from now on."`
	Kept    int    `json:"kept" doc:"Values that were sealed again."`
	Removed int    `json:"removed" doc:"Values that could not be read any more."`
}

// Secrets lists the secrets, without their values.
func (c *Client) Secrets(ctx context.Context) (page Page[Secret], err error) {
	err = c.do(ctx, "GET", "/secrets", nil, nil, &page)
	return page, err
}

// SetSecret stores a secret, or gives one that exists another value.
func (c *Client) SetSecret(ctx context.Context, name, value string) (s Secret, err error) {
	err = c.do(ctx, "PUT", path("secrets", name), nil, SetSecret{Value: value}, &s)
	return s, err
}

// RemoveSecret deletes a secret. Plugins that need it are refused from then on.
func (c *Client) RemoveSecret(ctx context.Context, name string) error {
	return c.do(ctx, "DELETE", path("secrets", name), nil, nil, nil)
}

// RotateSecrets makes a new key and seals everything with it.
func (c *Client) RotateSecrets(ctx context.Context, r RotateSecrets) (done RotatedSecrets, err error) {
	err = c.do(ctx, "POST", "/secrets/rotate-key", nil, r, &done)
	return done, err
}

// Params is one's own parameters by category: a JSON object each.
func (c *Client) Params(ctx context.Context) (params map[string]json.RawMessage, err error) {
	err = c.do(ctx, "GET", "/me/params", nil, nil, &params)
	return params, err
}

// SetParams replaces one category of one's own parameters.
func (c *Client) SetParams(ctx context.Context, category string, params json.RawMessage) error {
	return c.do(ctx, "PUT", path("me", "params", category), nil, params, nil)
}

// RemoveParams removes one category of one's own parameters.
func (c *Client) RemoveParams(ctx context.Context, category string) error {
	return c.do(ctx, "DELETE", path("me", "params", category), nil, nil, nil)
}
