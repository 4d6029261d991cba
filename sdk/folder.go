package sdk

import (
	"context"
	"time"
)

// PluginFolder is the folder of a server in which plugins are found.
type PluginFolder struct {
	Dir      string      `json:"dir"`
	Problem  string      `json:"problem,omitempty" doc:"Why the folder cannot be read."`
	Files    []FoundFile `json:"files"`
	LookedAt time.Time   `json:"looked_at,omitzero"`
}

// FoundFile is a plugin in the plugin folder: a file, or a folder, whose name then ends in a slash.
type FoundFile struct {
	Name    string `json:"name"`
	Status  string `json:"status" doc:"Of its submission, or broken."`
	Problem string `json:"problem,omitempty"`
}

// PluginFolder returns what was found in the plugin folder last.
func (c *Client) PluginFolder(ctx context.Context) (f PluginFolder, err error) {
	err = c.do(ctx, "GET", "/plugin-folder", nil, nil, &f)
	return f, err
}

// RescanPluginFolder has the server look at its plugin folder now.
func (c *Client) RescanPluginFolder(ctx context.Context, options ...CallOption) (f PluginFolder, err error) {
	err = c.do(ctx, "POST", "/plugin-folder/rescan", nil, nil, &f, options...)
	return f, err
}
