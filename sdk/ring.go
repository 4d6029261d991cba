package sdk

import (
	"context"
	"net/url"
)

// Outcomes is how executions of a version ended that are compared with those of the version before it.
type Outcomes struct {
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
}

// Share is a version and which share of the runs gets it.
type Share struct {
	Version string `json:"version"`
	Ring    string `json:"ring" enum:"canary,early,all"`
	Percent int    `json:"percent"`
}

// Ring is the body that places a version.
type Ring struct {
	Ring string `json:"ring" enum:"canary,early,all" doc:"canary is 5 % of the runs that follow the plugin, early 25 %, all every one."`
}

// RollBack is the body of a roll-back.
type RollBack struct {
	To string `json:"to,omitempty" maxLength:"64" doc:"The version that runs get. Left out: the one before the newest that they get now."`
}

// RolledBack says what a roll-back did.
type RolledBack struct {
	Version string   `json:"version" doc:"What runs get now."`
	Held    []string `json:"held" doc:"The versions above it that are held since. Resume them to take it back."`
}

// UploadPluginInto is UploadPlugin into a ring: canary, early or all; "" is as the server is set.
func (c *Client) UploadPluginInto(ctx context.Context, wasm []byte, ring string, options ...CallOption) (v PluginVersion, err error) {
	q := url.Values{}
	set(q, "ring", ring)
	err = c.do(ctx, "POST", "/plugins", q, module(wasm), &v, options...)
	return v, err
}

// SetRing places a version in a ring: canary, early or all. One that was held runs again.
func (c *Client) SetRing(ctx context.Context, name, version, ring string) error {
	return c.do(ctx, "POST", path("plugins", name, "versions", version, "ring"), nil, Ring{Ring: ring}, nil)
}

// Shares says which share of the runs with a wish (a range, a ring, "" for the newest) gets which version.
func (c *Client) Shares(ctx context.Context, name, wish string) (page Page[Share], err error) {
	q := url.Values{}
	set(q, "version", wish)
	err = c.do(ctx, "GET", path("plugins", name, "rings"), q, nil, &page)
	return page, err
}

// RollBackPlugin makes an older version the one that runs get, "" for the one before, and holds those above it.
func (c *Client) RollBackPlugin(ctx context.Context, name, to string) (done RolledBack, err error) {
	err = c.do(ctx, "POST", path("plugins", name, "rollback"), nil, RollBack{To: to}, &done)
	return done, err
}
