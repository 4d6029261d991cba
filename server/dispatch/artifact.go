package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// unread is what a plugin printed in place of a response.
type unread struct {
	head []byte // at most wire.MaxInvalid bytes
	size int64  // of all that was printed, as far as it is known
}

// unreadOf keeps the head of raw.
func unreadOf(raw []byte, size int64) unread {
	return unread{head: raw[:min(len(raw), wire.MaxInvalid)], size: max(size, int64(len(raw)))}
}

// artifacts are the files that x's attempt leaves behind: what was printed in place of a response, what a dry run would
// have done, and what the plugin handed over.
func artifacts(x octopus.Execution, now time.Time, status octopus.Status, o *outcome) []octopus.Artifact {
	list := append(unreadable(x, now, status, o), intended(x, now, o)...)
	if x.DryRun {
		return list
	}
	for _, f := range o.files {
		list = append(list, octopus.Artifact{
			ExecutionID: x.ID, Name: f.Name, Attempt: x.Attempt, MediaType: f.MediaType, Data: f.Data, CreatedAt: now,
		})
	}
	return list
}

// filesOf reads the files that came as an upload before the result. What is not there, or not as it should be, is told
// with the execution; it does not take its result away.
func (d *Dispatcher) filesOf(ctx context.Context, o *outcome) error {
	o.filesLost = clip(o.ArtifactsLost, 300)
	if o.ArtifactsSHA256 == "" {
		return nil
	}
	raw, err := d.store.Blob(ctx, o.ArtifactsSHA256)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		o.filesLost = "They were announced as an upload, but the upload is not there."
		return nil
	}
	if err != nil {
		return fmt.Errorf("uploaded artifacts: %w", err)
	}
	if o.files, err = wire.DecodeArtifacts(raw); err == nil {
		err = nameable(o.files)
	}
	if err != nil {
		o.files, o.filesLost = nil, "The agent sent them in a form that cannot be read."
	}
	return nil
}

// nameable refuses names that are no file's, and those of the server's own artifacts.
func nameable(files []wire.Artifact) error {
	for _, f := range files {
		if spec.BadFileName(f.Name) != "" || octopus.IsHostArtifact(f.Name) {
			return fmt.Errorf("artifact name %.100q", f.Name)
		}
	}
	return nil
}

// intended is what a dry run would have done. Nothing is kept of an agent that reports something else.
func intended(x octopus.Execution, now time.Time, o *outcome) []octopus.Artifact {
	if !x.DryRun || len(o.Intents) == 0 || len(o.Intents) > wire.MaxIntents {
		return nil
	}
	var list []spec.Intent
	if json.Unmarshal(o.Intents, &list) != nil || len(list) == 0 {
		return nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return []octopus.Artifact{{
		ExecutionID: x.ID, Name: octopus.ArtifactDryRun, Attempt: x.Attempt, MediaType: "application/json", Data: raw, CreatedAt: now,
	}}
}

// Artifacts reads an execution's artifacts, as the store does.
type Artifacts interface {
	Artifact(ctx context.Context, executionID, name string, attempt int) (octopus.Artifact, error)
}

// Intents are what the newest attempt of a dry run would have done.
func Intents(ctx context.Context, from Artifacts, x octopus.Execution) ([]spec.Intent, error) {
	if !x.DryRun {
		return nil, nil
	}
	a, err := from.Artifact(ctx, x.ID, octopus.ArtifactDryRun, 0)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil, nil
	}
	var list []spec.Intent
	if err == nil {
		err = json.Unmarshal(a.Data, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("intents of %s: %w", x.ID, err)
	}
	return list, nil
}

func unreadable(x octopus.Execution, now time.Time, status octopus.Status, o *outcome) []octopus.Artifact {
	if len(o.unread.head) == 0 || status == octopus.Succeeded {
		return nil
	}
	var text strings.Builder
	escape(&text, o.unread.head)
	if left := o.unread.size - int64(len(o.unread.head)); left > 0 {
		text.WriteString("\n\n[" + leftOut(left, o.Reason == spec.CodeOutputLimit) + "]\n")
	}
	return []octopus.Artifact{{
		ExecutionID: x.ID, Name: octopus.ArtifactInvalidResponse, Attempt: x.Attempt,
		MediaType: "text/plain; charset=utf-8", Data: []byte(text.String()), CreatedAt: now,
	}}
}

// leftOut says how much is missing. Who printed too much was stopped, so nobody knows how much it would have been.
func leftOut(n int64, stopped bool) string {
	if stopped {
		return fmt.Sprintf("At least %d more bytes are left out.", n)
	}
	return fmt.Sprintf("%d more bytes are left out.", n)
}

// escape writes raw so that it is harmless wherever it is shown: printable text, tabs and line feeds as they are, other
// characters as \u{…}, and bytes that are no UTF-8 as \x… . A backslash that would read as the begin of either is
// written as \x5c, so that the bytes can be had back; in JSON there is none.
func escape(out *strings.Builder, raw []byte) {
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		rest := raw[size:]
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\n' && r != '\t', r == 0x7f, r == '\\' && beginsEscape(rest):
			fmt.Fprintf(out, `\x%02x`, raw[0])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			fmt.Fprintf(out, `\u{%x}`, r)
		}
		raw = rest
	}
}

// beginsEscape reports whether what follows a backslash makes it look like an escape of ours.
func beginsEscape(rest []byte) bool {
	return len(rest) > 0 && rest[0] == 'x' || len(rest) > 1 && rest[0] == 'u' && rest[1] == '{'
}
