package web

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/views"
)

// maxTwin is how long a command line may become before it repeats the run by its id instead.
const maxTwin = 1000

// twin is the command that repeats a run. Secrets are not in it: placeholders stand where they go.
func (s *Web) twin(ctx context.Context, run octopus.Run) string {
	m, err := s.cfg.Catalog.Manifest(ctx, run.Digest)
	a, known := m.Action(run.Action)
	var given map[string]json.RawMessage
	if err != nil || !known || run.Params != nil && json.Unmarshal(run.Params, &given) != nil {
		return "octopus runs retry " + run.ID // what is secret is not known
	}
	line := "octopus run " + shellWord(run.Plugin)
	if len(m.Actions) > 1 {
		line += " --action " + shellWord(run.Action)
	}
	props := properties(a.Params)
	for _, name := range ordered(props, given) {
		if usual(props, name, given[name]) {
			continue
		}
		line += " --param " + shellWord(name+"="+paramText(props, name, given[name]))
	}
	if line += targetFlags(run.Target) + policyFlags(run.Work); len(line) > maxTwin {
		return "octopus runs retry " + run.ID
	}
	return line
}

// usual reports whether a value is the default that the server fills in by itself.
func usual(props []property, name string, value json.RawMessage) bool {
	for _, p := range props {
		if p.name == name && len(p.Default) > 0 {
			var a, b any
			return json.Unmarshal(p.Default, &a) == nil && json.Unmarshal(value, &b) == nil && reflect.DeepEqual(a, b)
		}
	}
	return false
}

// paramText is a value as --param takes it: strings bare where the schema says that they are strings, else JSON.
func paramText(props []property, name string, value json.RawMessage) string {
	for _, p := range props {
		if p.name != name {
			continue
		}
		if p.secret() {
			return "<" + name + ">"
		}
		var text string
		if p.Type == "string" && json.Unmarshal(value, &text) == nil {
			return text
		}
	}
	return string(value)
}

func targetFlags(t octopus.Target) (flags string) {
	switch t.Mode {
	case octopus.TargetAgent:
		return cliFlag("agent", t.Agent)
	case octopus.TargetAll:
		flags = cliFlag("target", "all")
	default:
		if t.Count > 1 {
			flags = cliFlag("count", strconv.Itoa(t.Count))
		}
	}
	return flags + cliFlag("selector", t.Selector)
}

func policyFlags(w octopus.Work) (flags string) {
	for _, f := range []struct {
		name string
		span time.Duration
	}{{"timeout", w.Timeout}, {"deadline", w.Deadline}, {"wait-ttl", w.WaitTTL}, {"lost-after", w.LostAfter}} {
		if f.span > 0 {
			flags += cliFlag(f.name, f.span.String())
		}
	}
	if w.OnLost == octopus.OnLostRetry {
		flags += cliFlag("on-lost", string(w.OnLost))
	}
	if w.MaxAttempts > 1 {
		flags += cliFlag("max-attempts", strconv.Itoa(w.MaxAttempts))
	}
	if w.DryRun {
		flags += " --dry-run"
	}
	if w.Priority != 0 {
		flags += cliFlag("priority", strconv.Itoa(w.Priority))
	}
	if w.Fuel > 0 {
		flags += cliFlag("fuel", strconv.FormatUint(w.Fuel, 10))
	}
	return flags + cliFlag("sandbox", string(w.Sandbox)) + cliFlag("clock", views.Moment(w.Clock)) + cliFlag("seed", views.Seed(w.Seed))
}

// cliFlag is a flag of a command line, nothing where its value is the default "".
func cliFlag(name, value string) string {
	if value == "" {
		return ""
	}
	return " --" + name + " " + shellWord(value)
}

// shellWord quotes text for a shell where it needs it.
func shellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,="
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
