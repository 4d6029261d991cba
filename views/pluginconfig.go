package views

import "time"

// PluginConfig is the form in which an administrator fills in a plugin's configuration.
type PluginConfig struct {
	Plugin, Version string // the version whose schema the form has
	Fields          []Field
	Others          []Other // that are stored, and that its schema does not have
	Problem         string  // with what was typed
	Unfit           string  // why the version cannot run with what is stored
	UpdatedAt       time.Time
	UpdatedBy       string
}

// Other is a setting that is stored for other versions than the one that is shown.
type Other struct {
	Name, Text string
	Drop       bool
}
