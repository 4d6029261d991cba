package octopus

import "time"

// Draft is a script plugin that somebody writes in the browser: theirs alone until it is submitted.
type Draft struct {
	ID, UserID string
	// Name is what the manifest calls it, as far as that can be read.
	Name             string
	Script, Manifest string // plugin.js and plugin.yaml
	// Revision grows with each change, from 1.
	Revision             int64
	CreatedAt, UpdatedAt time.Time
}
