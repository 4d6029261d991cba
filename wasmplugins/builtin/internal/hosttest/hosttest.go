// Package hosttest is the host's side of a plugin's unit test: fixed replies
// to host calls, and a record of what the plugin asked and said.
package hosttest

import (
	"encoding/json"
	"testing"

	"octopus/sdk/plugin"
)

// Host answers host calls. Not safe for use by several goroutines.
type Host struct {
	Replies  map[string]string            // by operation, JSON
	Requests map[string][]json.RawMessage // what was asked, by operation
	Logs     []string
	Progress []float64
	// CancelAfter cancels once "cancelled" was asked so many times; 0 never.
	CancelAfter int
}

// Run carries out one action with params as JSON and returns the response as
// the host would read it.
func (h *Host) Run(t testing.TB, actions plugin.Actions, action, params string) Answer {
	t.Helper()
	request, err := json.Marshal(plugin.Request{ABI: 1, Action: action, Params: json.RawMessage(params)})
	if err != nil {
		t.Fatalf("params: %v", err)
	}
	raw, err := json.Marshal(plugin.Serve(actions, request, h.call))
	if err != nil {
		t.Fatalf("response: %v", err)
	}
	var a Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("response: %v", err)
	}
	return a
}

// Answer is a response with its result still encoded.
type Answer struct {
	StatusCode int                `json:"status_code"`
	Message    string             `json:"message"`
	Data       []plugin.Data      `json:"data"`
	Result     json.RawMessage    `json:"result"`
	Metrics    map[string]float64 `json:"metrics"`
	Error      plugin.Failure     `json:"error"`
}

func (h *Host) call(op string, request []byte) ([]byte, error) {
	if h.Requests == nil {
		h.Requests = map[string][]json.RawMessage{}
	}
	h.Requests[op] = append(h.Requests[op], append([]byte(nil), request...))
	switch op {
	case "log":
		var line struct{ Message string }
		_ = json.Unmarshal(request, &line)
		h.Logs = append(h.Logs, line.Message)
		return []byte(`{}`), nil
	case "progress":
		var p struct{ Fraction float64 }
		_ = json.Unmarshal(request, &p)
		h.Progress = append(h.Progress, p.Fraction)
		return []byte(`{}`), nil
	case "cancelled":
		if h.CancelAfter > 0 && len(h.Requests[op]) >= h.CancelAfter {
			return []byte(`{"cancelled":true}`), nil
		}
		return []byte(`{"cancelled":false}`), nil
	}
	if reply, ok := h.Replies[op]; ok {
		return []byte(reply), nil
	}
	return []byte(`{"error":{"code":"unsupported_op","message":"` + op + ` is not faked in this test."}}`), nil
}
