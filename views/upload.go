package views

import "octopus/internal/octopus"

// Upload is the form that takes a plugin, and what was wrong with the file that was sent last.
type Upload struct {
	Page
	Max      int64  // bytes that a module may have
	Name     string // of the file that was refused
	Problem  string
	Problems []Pair // where in the manifest, and what
}

// UploadPreview is what a module says of itself, before it is published.
type UploadPreview struct {
	Page
	Version     octopus.PluginVersion
	Description string
	Actions     []PluginAction
	Asked       []Asked
	Limits      []Pair
	Dropped     []string     // what Before asked for and this does not
	Before      string       // the version that runs get now, "" where there is none
	Known       bool         // the plugin has versions
	Action      string       // where the form goes
	Ring        octopus.Ring // where it is placed unless they choose another
	Publish     bool         // this viewer may publish without a review
	Unsandboxed bool         // it may run programs outside the sandbox
}

// asksMore counts what the version before was not granted.
func (m UploadPreview) asksMore() (n int) {
	for _, c := range m.Asked {
		if !c.Granted {
			n++
		}
	}
	return n
}
