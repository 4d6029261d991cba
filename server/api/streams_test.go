package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"octopus/sdk"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	agent := w.agent("web-01", 1)
	run, err := w.client.StartRun(t.Context(), greet(map[string]any{"lines": 3, "hold": true}))
	if err != nil {
		t.Fatal(err)
	}
	id := run.Executions[0].ID
	var lines []sdk.LogLine
	err = w.client.FollowLogs(t.Context(), id, 0, func(l sdk.LogLine) error {
		lines = append(lines, l)
		if len(lines) == 6 {
			agent.release() // the log was followed while it ran
		}
		return nil
	})
	if err != nil || len(lines) != 7 || lines[0].Text != "line 1" || lines[0].Seq != 1 || lines[0].Time.IsZero() {
		t.Fatalf("%v %+v", err, lines)
	}
	if last := lines[6]; !last.End || last.Status != "succeeded" {
		t.Errorf("the follow does not end well: %+v", last)
	}
	rest, err := w.client.Logs(t.Context(), id, 2)
	if err != nil || len(rest) != 2 || rest[0].Text != "line 3" {
		t.Errorf("%v %+v", err, rest)
	}
	stop := errors.New("enough")
	if err := w.client.FollowLogs(t.Context(), id, 0, func(sdk.LogLine) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	text := w.raw("GET", "/api/v1/executions/"+id+"/logs.txt", "")
	if text.StatusCode != 200 || !strings.Contains(text.Header.Get("Content-Disposition"), id) || strings.Count(text.body, "\n") != 6 || strings.Contains(text.body, "\x1b") {
		t.Errorf("%d %v %q", text.StatusCode, text.Header, text.body)
	}
	sse := w.raw("GET", "/api/v1/executions/"+id+"/logs?follow=true", "", "Accept", "text/event-stream")
	if sse.Header.Get("Content-Type") != "text/event-stream" || strings.Count(sse.body, "event: log\n") != 6 || !strings.Contains(sse.body, "id: 3\n") || !strings.Contains(sse.body, "event: end\ndata: {") {
		t.Errorf("%s", sse.body)
	}
	resumed := w.raw("GET", "/api/v1/executions/"+id+"/logs?follow=true", "", "Accept", "text/event-stream", "Last-Event-ID", "3")
	if strings.Contains(resumed.body, "event: log\n") {
		t.Errorf("resumed: %s", resumed.body)
	}
	plain := w.raw("GET", "/api/v1/executions/"+id+"/logs", "", "Accept", "text/plain")
	if plain.body != text.body {
		t.Errorf("plain: %q", plain.body)
	}
	if a := w.raw("GET", "/api/v1/executions/exe_nothing/logs", ""); a.StatusCode != 404 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	agent := w.agent("web-01", 2)
	run, err := w.client.StartRun(t.Context(), greet(map[string]any{"hold": true}))
	if err != nil {
		t.Fatal(err)
	}
	id := run.Executions[0].ID
	if _, err := w.client.DownloadResult(t.Context(), id, "json"); !sdk.IsConflict(err) {
		t.Errorf("before the end: %v", err)
	}
	agent.release()
	if _, err := w.client.WaitExecution(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	data, err := w.client.DownloadResult(t.Context(), id, "json")
	if err != nil || !json.Valid(data) || !strings.Contains(string(data), "Hello.") {
		t.Errorf("%v %s", err, data)
	}
	data, err = w.client.DownloadResult(t.Context(), id, "csv")
	if err != nil || string(data) != "name,size\na,1\n'=b,-2\n" {
		t.Errorf("%v %q", err, data)
	}
	named := w.raw("GET", "/api/v1/executions/"+id+"/result?format=csv&name=rows", "")
	if named.StatusCode != 200 || named.body != "name,value\nk,v\n" {
		t.Errorf("%d %q", named.StatusCode, named.body)
	}
	if a := w.raw("GET", "/api/v1/executions/"+id+"/result?format=csv&name=none", ""); a.StatusCode != 422 || !strings.Contains(a.body, "rows") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.agent("web-01", 2)
	run, err := w.client.StartRun(t.Context(), greet(map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := errors.New("done")
	seen := map[string]string{}
	err = w.client.Events(ctx, []string{"run:" + run.ID, "agents"}, func(e sdk.ServerEvent) error {
		switch e.Name {
		case "execution.updated":
			x, err := e.Execution()
			if err != nil || x.RunID != run.ID {
				t.Errorf("%v %s", err, e.Data)
			}
			seen["execution"] = x.Status
		case "run.updated":
			var r sdk.Run
			if err := json.Unmarshal(e.Data, &r); err != nil {
				t.Error(err)
			}
			seen["run"] = r.Status
		}
		if seen["run"] == "succeeded" && seen["execution"] == "succeeded" {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatalf("%v %v", err, seen)
	}
}

// events opens a stream and returns its lines.
func (w *world) events(topics, last string) (next func() string, end func()) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/api/v1/events?topics="+topics, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req) //nolint:bodyclose // end closes it
	if err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return func() string {
			if !lines.Scan() {
				w.t.Errorf("the stream ended: %v", lines.Err())
				return "event: none"
			}
			return lines.Text()
		}, func() {
			cancel()
			res.Body.Close()
		}
}

func until(next func() string, prefix string) string {
	for {
		if line := next(); strings.HasPrefix(line, prefix) || line == "event: none" {
			return strings.TrimPrefix(line, prefix)
		}
	}
}

// TestEventsResume: a stream goes on after the last event, and says so where it cannot.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next, end := w.events("executions", "")
	first, err := w.client.StartRun(t.Context(), greet(map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	id := until(next, "id: ")
	if data := until(next, "data: "); !strings.Contains(data, first.Executions[0].ID) {
		t.Errorf("first: %s", data)
	}
	end()
	second, err := w.client.StartRun(t.Context(), greet(map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	next, end = w.events("executions", id)
	for data := ""; !strings.Contains(data, second.Executions[0].ID); {
		if data = until(next, "data: "); data == "event: none" || data == "{}" {
			t.Fatalf("what came between is gone: %s", data)
		}
	}
	end()
	for _, stale := range []string{"another.1", "nonsense", strings.Split(id, ".")[0] + ".999999"} {
		next, end = w.events("executions", stale)
		if event := until(next, "event: "); event != "resync" {
			t.Errorf("%s: %s", stale, event)
		}
		end()
	}
}
