package spec

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Intent is one thing that a dry run would have done: what the host recorded
// instead of doing it.
type Intent struct {
	// Op is the host call, such as "file.write", or "data" for an operation of
	// the response.
	Op string `json:"op"`
	// Target is what it would have changed: a URL, a path, a key, a command.
	Target string `json:"target,omitempty"`
	// Message says it in a few words, such as "write 12 bytes to /srv/a".
	Message string `json:"message"`
}

// Bounds on the intents of one execution.
const (
	MaxIntents    = 200
	maxIntentText = 300      // bytes of a target and of a message
	maxIntentsAll = 15 << 10 // bytes of all; JSON makes two of one at most
)

// Intents collects what a dry run would have done, within bounds; what finds
// no room is counted.
type Intents struct {
	list []Intent
	size int
	left int
}

// Add appends one.
func (l *Intents) Add(i Intent) {
	i.Op, i.Target, i.Message = brief(i.Op, 64), brief(i.Target, maxIntentText), brief(i.Message, maxIntentText)
	if size := len(i.Op) + len(i.Target) + len(i.Message) + 40; len(l.list) < MaxIntents && l.size+size <= maxIntentsAll {
		l.list, l.size = append(l.list, i), l.size+size
		return
	}
	l.left++
}

// List is what was collected, with a last word on what was left out.
func (l *Intents) List() []Intent {
	if l.left == 0 {
		return l.list
	}
	return append(l.list[:len(l.list):len(l.list)], Intent{Op: "…", Message: fmt.Sprintf("and %d more", l.left)})
}

// brief is one line of at most n bytes.
func brief(text string, n int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) <= n {
		return text
	}
	for n -= len("…"); n > 0 && !utf8.RuneStart(text[n]); {
		n--
	}
	return text[:n] + "…"
}

// IntentOf is what an operation of a response would have done. The names are
// the plugin's and the operation's own.
func IntentOf(plugin string, op Operation) Intent {
	i := Intent{Op: "data", Target: op.Name}
	switch op.Type {
	case OpCache:
		i.Message = "put plugin/" + plugin + "/" + op.Name + " into the cache"
	case OpFile:
		i.Message = "leave the file " + op.Name + " on the agent"
		if raw, err := op.FileBytes(); err == nil {
			i.Message += fmt.Sprintf(" (%d bytes)", len(raw))
		}
	default:
		i.Message = "keep the result " + op.Name
	}
	return i
}
