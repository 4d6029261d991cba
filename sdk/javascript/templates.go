package javascript

import (
	"embed"
	"strings"
)

//go:embed templates
var templates embed.FS

// Template is a script plugin to begin with.
type Template struct {
	Key   string // names it in addresses and on command lines
	Title string
	About string
	Needs string // what must be granted before it runs, "" for nothing
}

// Templates lists them, the simplest first.
func Templates() []Template {
	return []Template{
		{"hello", "Greeting", "Greets, shows progress, and remembers whom it has greeted.", "a key-value store"},
		{"transform", "Transform parameters", "Groups and adds up what it is given. It needs nothing but its parameters.", ""},
		{"json-field", "Check a field of JSON over HTTP", "Asks an address and compares one field of its answer.", "http to the hosts that you name"},
		{"count-lines", "Read a file and count", "Counts the lines of a file on the agent, and those that hold a word.", "reading a folder on the agent"},
	}
}

// Write returns plugin.js and plugin.yaml of a plugin that begins with the template. ok is false where there is no such
// template.
func Write(template, plugin string) (script, manifest string, ok bool) {
	js, err := templates.ReadFile("templates/" + template + "/plugin.js")
	if err != nil {
		return "", "", false
	}
	yaml, err := templates.ReadFile("templates/" + template + "/plugin.yaml")
	if err != nil {
		return "", "", false
	}
	return strings.ReplaceAll(string(js), "NAME", plugin), strings.ReplaceAll(string(yaml), "NAME", plugin), true
}
