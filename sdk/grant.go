package sdk

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// Grant is what an administrator allows one plugin digest to do.
type Grant struct {
	Digest       string          `json:"digest"`
	Plugin       string          `json:"plugin,omitempty"`
	Version      string          `json:"version,omitempty"`
	Capabilities json.RawMessage `json:"capabilities"`
	GrantedBy    string          `json:"granted_by,omitempty"`
	GrantedAt    time.Time       `json:"granted_at"`
	State        string          `json:"state,omitempty" enum:"in_force,older,revoked" doc:"in_force: runs that follow the plugin get the version, or none that is newer. older: they get a newer one, or it is disabled or revoked. revoked: everything was taken back. Of grants only."`
	Allows       []string        `json:"allows,omitempty" doc:"What it may do, a phrase each. Of grants only."`
	Missing      []string        `json:"missing,omitempty" doc:"Which secrets it may use and nobody stored, a sentence each. Not in lists."`
}

// NewGrant is the body of POST /grants.
type NewGrant struct {
	Plugin       string          `json:"plugin" minLength:"1" maxLength:"64"`
	Version      string          `json:"version,omitempty" maxLength:"64" doc:"Left out: the newest."`
	Capabilities json.RawMessage `json:"capabilities,omitempty" doc:"At most what the manifest asks for. Left out: all that it asks for."`
	// Secrets says which stored secret is meant by a name of the manifest. Defaults to what was bound before, or the
	// same name.
	Secrets map[string]string `json:"secrets,omitempty" doc:"Which stored secret is meant, by the name in the manifest. Left out: as before, or the same name."`
}

// GrantFilter narrows the list of grants. Zero fields do not.
type GrantFilter struct {
	List
	Plugin     string
	Capability string // such as "http"
	GrantedBy  string // a user name, or octopus
	State      string // in_force, older or revoked
	Text       string
}

func (f GrantFilter) values() url.Values {
	q := f.List.values()
	set(q, "plugin", f.Plugin)
	set(q, "capability", f.Capability)
	set(q, "granted_by", f.GrantedBy)
	set(q, "state", f.State)
	set(q, "q", f.Text)
	return q
}

// Grants lists what digests were allowed, by whom and when; the latest decision first.
func (c *Client) Grants(ctx context.Context, f GrantFilter) (page Page[Grant], err error) {
	err = c.do(ctx, "GET", "/grants", f.values(), nil, &page)
	return page, err
}

// GrantOf returns what a digest was allowed.
func (c *Client) GrantOf(ctx context.Context, digest string) (g Grant, err error) {
	err = c.do(ctx, "GET", path("grants", digest), nil, nil, &g)
	return g, err
}

// Grant allows a plugin version to do something; it replaces what was granted before.
func (c *Client) Grant(ctx context.Context, g NewGrant, options ...CallOption) (grant Grant, err error) {
	err = c.do(ctx, "POST", "/grants", nil, g, &grant, options...)
	return grant, err
}

// RevokeGrant takes everything away that a digest was allowed.
func (c *Client) RevokeGrant(ctx context.Context, digest string) error {
	return c.do(ctx, "DELETE", path("grants", digest), nil, nil, nil)
}
