package main

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestEcho(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params string
		status int
		code   string
	}{
		"plain":     {`{"message":"hi"}`, 200, ""},
		"created":   {`{"message":"hi","status_code":201}`, 201, ""},
		"not found": {`{"message":"hi","status_code":404}`, 404, "as_asked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := new(hosttest.Host).Run(t, actions, "echo", c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || a.Message != "hi" {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestDelaySpreadsLogAndProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, start := &hosttest.Host{}, time.Now()
		a := h.Run(t, actions, "echo", `{"message":"hi","delay_seconds":20,"log_lines":10}`)
		if a.StatusCode != 200 || time.Since(start) != 20*time.Second {
			t.Errorf("got %+v after %s", a, time.Since(start))
		}
		if len(h.Logs) != 10 || h.Logs[9] != "line 10 of 10: hi" {
			t.Errorf("logs %q", h.Logs)
		}
		if len(h.Progress) != 40 || !slices.IsSorted(h.Progress) || h.Progress[39] != 1 {
			t.Errorf("progress %v", h.Progress)
		}
	})
}

func TestManyLinesAtOnce(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{}
	a := h.Run(t, actions, "echo", `{"message":"hi","log_lines":1000,"bytes":100}`)
	if a.StatusCode != 200 || len(h.Logs) != 1000 || len(h.Progress) != 0 || !strings.Contains(string(a.Result), strings.Repeat(".", 100)) {
		t.Errorf("got %d, %d lines, %d progress", a.StatusCode, len(h.Logs), len(h.Progress))
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, start := &hosttest.Host{CancelAfter: 9}, time.Now()
		a := h.Run(t, actions, "echo", `{"delay_seconds":20}`)
		if a.StatusCode != 499 || a.Error.Code != "cancelled" || time.Since(start) > 3*time.Second {
			t.Errorf("got %+v after %s", a, time.Since(start))
		}
	})
}
