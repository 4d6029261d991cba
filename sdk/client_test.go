package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The client against the real API is tested in server/api; here it meets servers that misbehave.

// serve starts a server and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc, options ...Option) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := New(server.URL+"/", "oct_test", options...)
	t.Cleanup(c.Close)
	return c
}

func refuse(w http.ResponseWriter, status int, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fail  func(http.ResponseWriter)
		calls int32
	}{
		{"unavailable", func(w http.ResponseWriter) { refuse(w, 503, Problem{Detail: "Later."}) }, 3},
		{"rate limited", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0")
			refuse(w, 429, Problem{Detail: "Slowly."})
		}, 3},
		{"broken connection", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 3},
		{"refused", func(w http.ResponseWriter) { refuse(w, 409, Problem{Detail: "No."}) }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			keys := make(chan string, 8)
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				keys <- r.Header.Get("Idempotency-Key")
				if calls.Add(1) < 3 {
					tc.fail(w)
					return
				}
				_, _ = io.WriteString(w, `{"id":"run_1"}`)
			})
			_, err := c.StartRun(t.Context(), StartRun{})
			if got := calls.Load(); got != tc.calls || (err == nil) != (tc.calls == 3) {
				t.Errorf("%d calls, want %d: %v", got, tc.calls, err)
			}
			first := <-keys
			for range calls.Load() - 1 {
				if key := <-keys; key == "" || key != first {
					t.Errorf("the repeat has another key: %q, %q", first, key)
				}
			}
		})
	}
}

// TestNoBlindRepeat: a change without a key whose connection broke may have happened; it is not done again.
func TestNoBlindRepeat(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := serve(t, func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	})
	if _, err := c.UpdateTask(t.Context(), "x", 0, TaskPatch{}); err == nil || calls.Load() != 1 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestLongPauseIsLeftToTheCaller(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "120")
		refuse(w, 503, Problem{Status: 503, Code: "unavailable", Detail: "Later."})
	})
	_, err := c.Me(t.Context())
	var e *Error
	if !errors.As(err, &e) || e.RetryAfter != 2*time.Minute || e.Code != "unavailable" || calls.Load() != 1 {
		t.Errorf("%d calls, %+v", calls.Load(), e)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/me":
			refuse(w, 422, Problem{Code: "invalid", Detail: "Two fields are wrong.", RequestID: "r1", Errors: []FieldProblem{{"/a", "is required"}, {"/b", "too long"}}})
		case "/api/v1/users":
			w.WriteHeader(502)
			_, _ = io.WriteString(w, "<html>nginx</html>")
		case "/api/v1/tokens":
			_, _ = io.WriteString(w, "<html>a login page of a proxy</html>")
		}
	})
	_, err := c.Me(t.Context())
	if err == nil || err.Error() != "Two fields are wrong. /a: is required /b: too long" {
		t.Errorf("%v", err)
	}
	if _, err = c.Users(t.Context()); err == nil || !strings.Contains(err.Error(), "502") || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("%v", err)
	}
	if _, err = c.Tokens(t.Context()); err == nil {
		t.Error("HTML is taken for an answer")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.Me(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err = New("http://127.0.0.1:1", "", WithRetries(0)).Me(t.Context()); err == nil {
		t.Error("nobody listens there")
	} else if errors.As(err, new(*Error)) {
		t.Errorf("not a refusal: %v", err)
	}
}

// TestFollowResumes: connections break in the middle of a chunk, and no line is lost or repeated.
func TestFollowResumes(t *testing.T) {
	t.Parallel()
	var lines []LogLine
	for seq := range int64(4) {
		for i := range 3 {
			lines = append(lines, LogLine{Seq: seq + 1, Text: fmt.Sprintf("%d.%d", seq+1, i)})
		}
	}
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var after int64
		_, _ = fmt.Sscan(r.URL.Query().Get("after_seq"), &after)
		left := int(calls.Add(1)) * 2 // each connection carries a few lines more
		for _, l := range lines {
			if l.Seq <= after {
				continue
			}
			if left--; left < 0 {
				panic(http.ErrAbortHandler)
			}
			_ = json.NewEncoder(w).Encode(l)
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, "\n")
		_ = json.NewEncoder(w).Encode(LogLine{End: true, Status: "succeeded"})
	})
	var got []string
	err := c.FollowLogs(t.Context(), "exe_1", 0, func(l LogLine) error { got = append(got, l.Text); return nil })
	if want := "1.0 1.1 1.2 2.0 2.1 2.2 3.0 3.1 3.2 4.0 4.1 4.2 "; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v after %d connections\n got %q\nwant %q", err, calls.Load(), strings.Join(got, " "), want)
	}
}

func TestEventsResume(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		if last := r.Header.Get("Last-Event-ID"); n > 1 && last != fmt.Sprintf("e.%d", n-1) {
			t.Errorf("connection %d resumes at %q", n, last)
		}
		fmt.Fprintf(w, ":\n\nid: e.%d\nevent: execution.updated\ndata: {\"id\":\"exe_%d\"}\n\n", n, n)
	})
	stop := errors.New("enough")
	var got []string
	err := c.Events(t.Context(), []string{"executions"}, func(e ServerEvent) error {
		x, err := e.Execution()
		if got = append(got, x.ID); len(got) == 3 {
			return stop
		}
		return err
	})
	if !errors.Is(err, stop) || strings.Join(got, " ") != "exe_1 exe_2 exe_3" {
		t.Errorf("%v %v", err, got)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "soon": 0} {
		if got := retryAfter(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := retryAfter(time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)); got < 50*time.Second || got > time.Minute {
		t.Errorf("a date: %s", got)
	}
}

// TestKeysGrow: keys are unique, and a later one is behind an earlier one.
func TestKeysGrow(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 1000 {
		before := fmt.Sprintf("%016x", time.Now().UnixMicro())
		key := newKey()
		after := fmt.Sprintf("%016x", time.Now().UnixMicro())
		if begin := key[:16]; seen[key] || len(key) != 32 || begin < before || begin > after {
			t.Fatalf("%s, made between %s and %s, or twice", key, before, after)
		}
		seen[key] = true
	}
}
