package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"octopus/agent/broker"
	"octopus/agent/redact"
)

// Bounds on what `plugins run` keeps and prints of host calls.
const (
	printedCalls = 100     // lines
	keptRequest  = 4 << 10 // bytes of a request; the target is kept in any case
)

// callList collects the host calls of a run.
type callList []broker.Record

func (l *callList) add(c broker.Record) {
	if len(c.Request) > keptRequest || !json.Valid(c.Request) {
		c.Request = nil
	}
	c.Request = bytes.Clone(c.Request) // the sandbox reads the next call into it
	*l = append(*l, c)
}

// hide returns the calls without the values of secrets.
func (l callList) hide(hidden *redact.Redactor) []broker.Record {
	for i := range l {
		c := &l[i]
		c.Target, c.Intent, c.Request = hidden.Text(c.Target), hidden.Text(c.Intent), hidden.JSON(c.Request)
	}
	return l
}

// printCalls lists host calls in their order: operation, target, time, and what became of it.
func printCalls(w io.Writer, calls []broker.Record) {
	for i, c := range calls {
		if i == printedCalls {
			fmt.Fprintf(w, "host calls: %d more; -o json has all\n", len(calls)-i)
			return
		}
		outcome := cmp.Or(c.Error, "ok")
		if c.DryRun && c.Error == "" {
			outcome = "not done, a dry run: " + c.Intent
		}
		fmt.Fprintf(w, "host call %s (%.1f ms): %s\n", strings.TrimSpace(c.Op+" "+c.Target), c.Millis, outcome)
	}
}

// artifactFolder keeps the files that a local run hands over in a folder, or nowhere.
type artifactFolder struct {
	root   *os.Root // nil: nowhere
	hidden *redact.Redactor
}

// folder opens the folder that --artifacts names.
func (r localRun) folder(hidden *redact.Redactor) (artifactFolder, error) {
	if r.artifacts == "" {
		return artifactFolder{}, nil
	}
	if err := os.MkdirAll(r.artifacts, 0o755); err != nil {
		return artifactFolder{}, usagef("--artifacts: %s cannot be made: %v.", r.artifacts, err)
	}
	root, err := os.OpenRoot(r.artifacts)
	if err != nil {
		return artifactFolder{}, usagef("--artifacts: %s cannot be used: %v.", r.artifacts, err)
	}
	return artifactFolder{root, hidden}, nil
}

func (f artifactFolder) close() {
	if f.root != nil {
		f.root.Close()
	}
}

// Put is for the broker.
func (f artifactFolder) Put(name, _ string, body []byte) error {
	return f.write(name, os.O_TRUNC, body)
}

// Append is for the broker.
func (f artifactFolder) Append(name string, body []byte) error {
	return f.write(name, os.O_APPEND, body)
}

func (f artifactFolder) write(name string, flag int, body []byte) error {
	if f.root == nil {
		return nil
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(f.hidden.Bytes(body))
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
