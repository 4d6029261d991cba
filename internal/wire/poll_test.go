package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestPollsSurvive(t *testing.T) {
	t.Parallel()
	frame, err := Encode(&Log{Execution: "exe_1", Seq: 1, Lines: []LogLine{{5, "<>&\u2028"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &Poll{Session: "abcdefgh", Number: 3, Ack: 2, Seq: 7, Frames: []json.RawMessage{frame}, WaitMS: 5, Because: "<proxy>", Bye: "stop"}
	raw, err := EncodePoll(p)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodePoll(raw)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := Decode(back.Frames[0]); err != nil || m.(*Log).Lines[0].Text != "<>&\u2028" {
		t.Errorf("%+v %v", m, err)
	}
	if back.Frames = p.Frames; !reflect.DeepEqual(back, p) {
		t.Errorf("%+v became %+v", p, back)
	}
	a := &Polled{Ack: 1, Seq: 2, Frames: []json.RawMessage{frame}, Nonces: []string{"n"}, Close: &PollClose{4012, "stop"}}
	if raw, err = EncodePoll(a); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodePolled(raw); err != nil || got.Close.Code != 4012 || got.Nonces[0] != "n" || len(got.Frames) != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestBadPolls(t *testing.T) {
	t.Parallel()
	frames := func(n, size int) string {
		one := `"` + strings.Repeat("x", size-2) + `"`
		return strings.TrimSuffix(strings.Repeat(one+",", n), ",")
	}
	for name, c := range map[string]struct{ body, says string }{
		"empty":            {"", "malformed"},
		"not an object":    {`[]`, "malformed"},
		"cut off":          {`{"session":"abcdefgh","number":1`, "malformed"},
		"huge":             {strings.Repeat(" ", MaxPoll+1), "over the limit"},
		"no session":       {`{"number":1}`, "session"},
		"odd session":      {`{"session":"../../etc/x","number":1}`, "session"},
		"long session":     {`{"session":"` + strings.Repeat("a", 65) + `","number":1}`, "session"},
		"no number":        {`{"session":"abcdefgh"}`, "range"},
		"negative ack":     {`{"session":"abcdefgh","number":1,"ack":-1}`, "range"},
		"overflow":         {`{"session":"abcdefgh","number":99999999999999999999}`, "malformed"},
		"frames, no seq":   {`{"session":"abcdefgh","number":1,"frames":[{}]}`, "range"},
		"too many frames":  {`{"session":"abcdefgh","number":1,"seq":1,"frames":[` + frames(MaxPollFrames+1, 2) + `]}`, "frames in one poll"},
		"too large frame":  {`{"session":"abcdefgh","number":1,"seq":1,"frames":[` + frames(1, MaxFrame+1) + `]}`, "over the limit"},
		"long explanation": {`{"session":"abcdefgh","number":1,"because":"` + strings.Repeat("x", 301) + `"}`, "reason"},
	} {
		if p, err := DecodePoll([]byte(c.body)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	if p, err := DecodePoll(fmt.Appendf(nil, `{"session":"abcdefgh","number":1,"seq":1,"frames":[%s],"new":1}`, frames(1, MaxFrame))); err != nil || !p.Opens() {
		t.Errorf("%+v %v", p, err)
	}
	for _, body := range []string{"", `{"ack":-1}`, `{"frames":[{}]}`, `{"seq":"x"}`} {
		if p, err := DecodePolled([]byte(body)); err == nil {
			t.Errorf("%q is %+v", body, p)
		}
	}
}

func FuzzDecodePoll(f *testing.F) {
	f.Add([]byte(`{"session":"abcdefgh","number":1,"ack":0,"seq":1,"frames":[{"t":"hello","agent":"agt_1","end":true}],"wait_ms":25000}`))
	f.Add([]byte(`{"session":"abcdefgh","number":2,"ack":9,"bye":"stop"}`))
	f.Add([]byte(`{"ack":1,"seq":2,"frames":[{"t":"go"}],"nonces":["n"],"close":{"code":4012}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if p, err := DecodePoll(body); err == nil {
			if !pollSession(p.Session) || p.Number < 1 || p.Ack < 0 || len(p.Frames) > MaxPollFrames {
				t.Fatalf("%+v is out of bounds", p)
			}
			again, err := EncodePoll(p)
			if err != nil {
				t.Fatalf("what was decoded cannot be encoded: %v", err)
			}
			if back, err := DecodePoll(again); err != nil && len(again) <= MaxPoll && len(body) < MaxHeartbeat || err == nil && back.Number != p.Number {
				t.Fatalf("%s became %s: %v", body, again, err)
			}
		}
		if p, err := DecodePolled(body); err == nil && (p.Ack < 0 || len(p.Frames) > MaxPollFrames) {
			t.Fatalf("%+v is out of bounds", p)
		}
	})
}
