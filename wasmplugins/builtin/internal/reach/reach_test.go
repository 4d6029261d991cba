package reach_test

import (
	"testing"
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

func TestFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message, where string
		status               int
		want                 string
	}{
		{"refused", "x", "db:1", 502, "Nothing listens on db:1: the connection was refused."},
		{"denied", "net to db:1 is not granted to x. Ask.", "db:1", 403, "Not allowed: net to db:1 is not granted to x. Ask."},
		{"dns", "no such host", "db:1", 502, "The name of db:1 cannot be resolved: no such host."},
		{"dns", "There is no address for the name db.", "db:1", 502, "There is no address for the name db."},
		{"tls", "db:443: certificate has expired", "db:443", 502, "No trusted TLS connection to db:443: certificate has expired."},
		{"tls", "db:443 does not speak TLS.", "db:443", 502, "db:443 does not speak TLS."},
		{"unreachable", "db:1 cannot be reached: EOF", "db:1", 502, "db:1 cannot be reached: EOF."},
		{"unreachable", "EOF", "[::1]:1", 502, "[::1]:1 cannot be reached: EOF."},
		{"timeout", "10 s passed", "db:1", 504, "db:1 did not answer in time: 10 s passed."},
		{"cancelled", "x", "db", 499, "Cancelled while reaching db."},
		{"rate_limited", "Slow down.", "db:1", 502, "db:1: Slow down."},
	} {
		got := reach.Failure(&plugin.HostError{Code: c.code, Message: c.message}, c.where)
		if got.StatusCode != c.status || got.Message != c.want || got.Error.Code != c.code {
			t.Errorf("%s %q: got %d %q", c.code, c.message, got.StatusCode, got.Message)
		}
	}
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for end, want := range map[string]int{"2026-01-11T12:00:00Z": 1, "2026-01-11T11:59:59Z": 0, "2026-01-10T11:59:59Z": -1, "9999-12-31T00:00:00Z": 2912432} {
		at, err := time.Parse(time.RFC3339, end)
		if err != nil {
			t.Fatal(err)
		}
		leaf := reach.Leaf(&plugin.TLS{Certificates: []plugin.Certificate{{NotAfter: at}}}, now)
		if leaf.DaysLeft != want {
			t.Errorf("%s: %d days, want %d", end, leaf.DaysLeft, want)
		}
	}
	if reach.Leaf(nil, now) != nil || reach.Leaf(&plugin.TLS{}, now) != nil {
		t.Error("a certificate out of nothing")
	}
}

func TestHostPort(t *testing.T) {
	t.Parallel()
	if got := reach.HostPort("::1", 22) + " " + reach.HostPort("db", 5432); got != "[::1]:22 db:5432" {
		t.Error(got)
	}
}
