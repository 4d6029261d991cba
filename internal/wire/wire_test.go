package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"octopus/internal/octopus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// every is one message of each type, filled.
var every = []Message{
	&Hello{Agent: "agt_1", Incarnation: "i", JournalID: "j", Version: 1, Facts: octopus.Facts{OS: "linux"}, Free: 4, Items: []Item{{"exe_1", 1, 2, PhaseStarted}}, End: true},
	&Heartbeat{Seq: 1, Free: 2, LastOffer: 3, Digest: "d", Load: 0.5}, &Accept{"exe_1", 1}, &Reject{"exe_1", 1, RejectBusy, "Busy.", 0, 7},
	&Prepared{Execution: "exe_1", Fence: 1, ReadyMS: 5, Started: true}, &Progress{"exe_1", 1, 0.5, "half"},
	&Result{Execution: "exe_1", Attempt: 1, Fence: 1, Outcome: octopus.Succeeded, Response: json.RawMessage(`{"status_code":200}`), Usage: Usage{GuestUS: 5}},
	&Log{Execution: "exe_1", Attempt: 1, Fence: 1, Seq: 1, Stream: "stderr", Lines: []LogLine{{5, "<>&\u2028"}}}, &CancelAck{"exe_1", 1},
	&Call{1, "exe_1", 1, "kv.get", json.RawMessage(`{"key":"a"}`)}, &Draining{"stop"}, &Welcome{Name: "web", SessionEpoch: 3}, &HelloAnswer{Items: []AnsweredItem{{"exe_1", 1, 2, AnswerGo}}, End: true},
	&HeartbeatAck{1, true}, &Offer{OfferSeq: 1, Execution: "exe_1", Params: json.RawMessage(`{}`), TimeoutMS: 30}, &Go{"exe_1", 1, 1}, &Withdrawn{"exe_1", 1},
	&Cancel{"exe_1", 1, "why", 10}, &ResultAck{"exe_1", 1, VerdictCommitted, ""}, &LogAck{"exe_1", 1}, &Reply{ID: 1, Error: &CallError{"denied", "No."}},
	&Prefetch{[]Module{{Plugin: "noop", Digest: "sha256:00"}}}, &Broadcast{Entries: []BroadcastEntry{{"motd", json.RawMessage(`"x"`), 1}}, Reset: true}, &Drain{1, 2, "stop"},
	&Restart{"asked"}, &Settings{"web", true},
}

func TestEveryMessageSurvives(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range every {
		frame, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(frame) || !strings.HasPrefix(string(frame), `{"t":"`+m.kind()+`"`) {
			t.Errorf("%s", frame)
		}
		back, err := Decode(frame)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%s: %+v %v", m.kind(), back, err)
		}
		seen[m.kind()] = true
		if fresh(m.kind()) == nil {
			t.Errorf("%s cannot be decoded", m.kind())
		}
	}
	if len(seen) != 26 {
		t.Errorf("%d kinds are tried", len(seen))
	}
}

func TestUnknownIsSkipped(t *testing.T) {
	t.Parallel()
	if _, err := Decode([]byte(`{"t":"tomorrow","x":1}`)); !errors.Is(err, ErrUnknownType) {
		t.Error(err)
	}
	m, err := Decode([]byte(`{"x":{"y":[1]},"t":"go","execution":"exe_1","fence":3,"new":true}`))
	if g, ok := m.(*Go); err != nil || !ok || g.Fence != 3 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestCaps(t *testing.T) {
	t.Parallel()
	pad := func(kind string, n int) []byte {
		head := `{"t":"` + kind + `","pad":"`
		return []byte(head + strings.Repeat("x", n-len(head)-2) + `"}`)
	}
	for kind, limit := range map[string]int{"heartbeat": MaxHeartbeat, "log": MaxLog, "hello": MaxMessage, "offer": MaxMessage, "call": MaxFrame} {
		if _, err := Decode(pad(kind, limit)); err != nil {
			t.Errorf("%s of %d: %v", kind, limit, err)
		}
		if _, err := Decode(pad(kind, limit+1)); err == nil || !strings.Contains(err.Error(), "over the limit") {
			t.Errorf("%s of %d: %v", kind, limit+1, err)
		}
	}
	for _, frame := range []string{"", "null", "[]", `"x"`, `{"t":5}`, `{"t":"go"`, `{"t":"go","fence":"x"}`, "\x00"} {
		if m, err := Decode([]byte(frame)); err == nil {
			t.Errorf("%q is %+v", frame, m)
		}
	}
}

// What a plugin or a person wrote must not make a frame that ends the connection.
func TestEncodeKeepsToTheCaps(t *testing.T) {
	t.Parallel()
	markup := json.RawMessage(`"` + strings.Repeat("<&>", (192<<10)/3) + `"`)
	frame, err := Encode(&Offer{Execution: "exe_1", Params: markup})
	if err != nil || !bytes.Contains(frame, markup[:1000]) {
		t.Fatalf("192 KiB of markup: %d bytes, %v", len(frame), err)
	}
	if _, err := Decode(frame); err != nil {
		t.Error(err)
	}
	if frame, err := Encode(&Call{Request: json.RawMessage(`"` + strings.Repeat("x", MaxFrame) + `"`)}); err == nil {
		t.Errorf("a call of %d bytes was encoded", len(frame))
	}
}

func TestDigests(t *testing.T) {
	t.Parallel()
	a, b := Item{Execution: "exe_1", Fence: 1}, Item{Execution: "exe_2", Fence: 5, Phase: PhaseDone}
	if DigestItems([]Item{a, b}) != DigestItems([]Item{b, a}) {
		t.Error("the order counts")
	}
	later := a
	later.Fence++
	if DigestItems([]Item{a}) == DigestItems([]Item{later}) || DigestItems([]Item{a}) == DigestItems([]Item{a, b}) {
		t.Error("different holdings look the same")
	}
	started := a
	started.Phase = PhaseStarted
	if DigestItems([]Item{a}) != DigestItems([]Item{started}) {
		t.Error("the phase counts")
	}
	if DigestItems(nil) != "" {
		t.Error("nothing has a digest")
	}
}

func TestSignedTextBindsEverything(t *testing.T) {
	t.Parallel()
	base := string(SignedText("a", "n", "h", "GET", "/p"))
	for _, other := range [][]byte{SignedText("b", "n", "h", "GET", "/p"), SignedText("a", "m", "h", "GET", "/p"), SignedText("a", "n", "i", "GET", "/p"),
		SignedText("a", "n", "h", "PUT", "/p"), SignedText("a", "n", "h", "GET", "/q")} {
		if string(other) == base {
			t.Errorf("%s", other)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range every {
		frame, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte(`{"t":"go"`))
	f.Add([]byte(`{"t":"a\"b"}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := Decode(frame)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		back, err := Decode(again)
		if len(again) <= MaxHeartbeat && (err != nil || !sameJSON(back, m)) {
			t.Fatalf("%s became %s: %v", frame, again, err)
		}
	})
}

// sameJSON compares messages as they travel: raw JSON is compacted on its way.
func sameJSON(a, b Message) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
