package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// FuzzParse: what the strict reader takes, encoding/json takes too and understands in the same way.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,{"b":null}],"c":"\u00e9"}`, `{"a":1,"a":2}`, `[[[]]]`, `{"a":`, `1 2`, strings.Repeat("[", 200), "\xff", `"\ud800"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		if err != nil {
			if code := octopus.CodeOf(err); code != octopus.CodeMalformed {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		var want any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q is taken, but %v", data, err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%q: %s is not %s", data, a, b)
		}
	})
}

// FuzzBodyHash: the order of keys and white space do not count, and no input breaks it.
func FuzzBodyHash(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[2]}`))
	f.Add([]byte(`not json`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := bodyHash(data)
		var v any
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if dec.Decode(&v) != nil || dec.More() {
			return
		}
		pretty, err := json.MarshalIndent(v, "", "\t")
		if err == nil && !bytes.Equal(h, bodyHash(pretty)) {
			t.Errorf("%q and %q differ", data, pretty)
		}
	})
}

// FuzzHeaders: keys, ETags, preferences, times, ids of events and topics.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"", "wait=30", `W/"3"`, "24h", "7d", "-1h", "wait=1e999", "a.1", "run:run_x", "9999999999d", "respond-async, wait=\"5\"; return=minimal"} {
		f.Add(s)
	}
	feed := newFeed()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if validKey(s) && (len(s) > 255 || strings.ContainsAny(s, " \n\r\x00")) {
			t.Errorf("key %q", s)
		}
		if wait, _ := (Prefers{Prefer: s}).parse(); wait < 0 || wait > maxWait {
			t.Errorf("wait %s of %q", wait, s)
		}
		if n, err := (Conditional{IfMatch: s}).revision(); err == nil && n < 0 {
			t.Errorf("revision %d of %q", n, s)
		}
		if at, err := since("x", s, now); err == nil && strings.HasSuffix(s, "h") && at.After(now) {
			t.Errorf("%q is in the future: %s", s, at)
		}
		if at, ok := feed.position(s); ok && (at < 1 || at > feed.next) {
			t.Errorf("position %d of %q", at, s)
		}
		if topics, err := parseTopics(s); err == nil && len(topics) == 0 {
			t.Errorf("no topics in %q", s)
		}
	})
}

func TestPointer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "plugin": "/plugin", "target.mode": "/target/mode", "items[3].tags": "/items/3/tags", "a[0][1]": "/a/0/1", "x/y": "/x~1y"} {
		if got := pointer(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"": {}, "24h": now.Add(-24 * time.Hour), "7d": now.AddDate(0, 0, -7), "1h30m": now.Add(-90 * time.Minute),
		"2026-11-22T13:00:00+01:00": now, "2026-11-22T12:00:00.5Z": now.Add(500 * time.Millisecond),
	} {
		if got, err := since("x", in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %s, want %s", in, err, got, want)
		}
	}
	for _, bad := range []string{"yesterday", "-1h", "d", "2026-11-22", "999999999999d"} {
		if _, err := since("x", bad, now); octopus.CodeOf(err) != octopus.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestFeedGap: a position that fell out of the ring, or before a loss, is a gap.
func TestFeedGap(t *testing.T) {
	t.Parallel()
	f, topics := newFeed(), map[string]bool{"executions": true}
	hint := func(id string) bus.Hint { return bus.Hint{Topic: "executions", ID: id} }
	for _, id := range []string{"a", "b", "a"} {
		f.add(hint(id), false)
	}
	hints, next, gap := f.since(1, topics)
	if gap || next != 4 || len(hints) != 2 {
		t.Errorf("%v %d %v", hints, next, gap)
	}
	if hints, _, gap = f.since(4, topics); gap || len(hints) != 0 {
		t.Errorf("%v %v", hints, gap)
	}
	f.add(hint("c"), true) // some before it were lost
	if _, _, gap = f.since(3, topics); !gap {
		t.Error("a loss is not noticed")
	}
	if hints, _, gap = f.since(4, topics); gap || len(hints) != 1 {
		t.Errorf("%v %v", hints, gap)
	}
	for range feedSize + 10 {
		f.add(hint("d"), false)
	}
	if _, _, gap = f.since(5, topics); !gap {
		t.Error("what fell out of the ring is not noticed")
	}
	if len(f.ring) != feedSize {
		t.Errorf("the ring holds %d", len(f.ring))
	}
	if hints, _, gap = f.since(f.next-1, topics); gap || len(hints) != 1 {
		t.Errorf("%v %v", hints, gap)
	}
}
