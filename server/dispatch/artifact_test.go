package dispatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/store/storetest"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"hello, Zürich\n\tyes": "hello, Zürich\n\tyes",
		`{"a":"\n\u00fc\\"}`:   `{"a":"\n\u00fc\\"}`,
		"\x00\x1b[31m\r\x7f":   `\x00\x1b[31m\x0d\x7f`,
		"\xff\xc3(":            `\xff\xc3(`,
		"a\u202eb\u00a0\u2028": `a\u{202e}b\u{a0}\u{2028}`,
		`\x41 \u{42} \`:        `\x5cx41 \x5cu{42} \`,
		"\ufffd":               "\ufffd",
	} {
		if got := escaped(raw); got != want {
			t.Errorf("%q became %s, want %s", raw, got, want)
		}
	}
}

// FuzzEscape: what comes out is printable UTF-8, and says exactly what went in.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "hello\n", "\x00\xff\x1b]0;x\a", `\x41\u{41}\\x`, "\u202e\ufeff\U0001f419", "\xed\xa0\x80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		out := escaped(raw)
		if !utf8.ValidString(out) || len(out) > 4*len(raw) {
			t.Fatalf("%q became %q", raw, out)
		}
		for _, r := range out {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", out, r)
			}
		}
		if back := unescaped(t, out); back != raw {
			t.Fatalf("%q became %q, which says %q", raw, out, back)
		}
	})
}

func escaped(raw string) string {
	var b strings.Builder
	escape(&b, []byte(raw))
	return b.String()
}

// unescaped is the way back.
func unescaped(t *testing.T, text string) string {
	var b strings.Builder
	for text != "" {
		digits, after, length := "", "", 0
		if strings.HasPrefix(text, `\x`) && len(text) >= 4 {
			digits, after = text[2:4], text[4:]
		} else if rest, ok := strings.CutPrefix(text, `\u{`); ok {
			digits, after, _ = strings.Cut(rest, "}")
			length = 1
		}
		if digits == "" {
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		n, err := strconv.ParseInt(digits, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		if length == 1 {
			b.WriteRune(rune(n))
		} else {
			b.WriteByte(byte(n))
		}
		text = after
	}
	return b.String()
}

// TestEachAttemptLeavesItsFile: also one that is tried again; a late result leaves none.
func TestEachAttemptLeavesItsFile(t *testing.T) {
	t.Parallel()
	e := from(evResult)
	e.result = resultOf(octopus.Failed, 502)
	e.result.MayRetry, e.result.unread = true, unreadOf([]byte("hello"), 0)
	for attempts, status := range map[int]octopus.Status{1: octopus.Failed, 2: octopus.Queued} {
		x := in(octopus.Running)
		x.Attempt, x.MaxAttempts = 1, attempts
		next, c, _ := steps(t, x, noon, e)
		if next.Status != status || len(c.Artifacts) != 1 || c.Artifacts[0].Attempt != 1 {
			t.Errorf("of %d attempts: %s, %+v", attempts, next.Status, c.Artifacts)
		}
	}
	lost, _, _ := steps(t, in(octopus.Running), noon, from(evLost))
	if _, c, _ := steps(t, lost, noon, e); len(c.Artifacts) != 0 {
		t.Errorf("a late result left %+v", c.Artifacts)
	}
}

func TestArtifactSaysWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	x := octopus.Execution{ID: "exe_1", Attempt: 2}
	long := bytes.Repeat([]byte("a"), wire.MaxInvalid+7)
	for _, c := range []struct {
		name   string
		unread unread
		reason string
		status octopus.Status
		files  int
		end    string
	}{
		{"nothing printed", unread{}, spec.CodeInvalidResponse, octopus.Failed, 0, ""},
		{"all of it", unreadOf([]byte("hello"), 5), spec.CodeInvalidResponse, octopus.Failed, 1, "hello"},
		{"an older size", unreadOf([]byte("hello"), 0), spec.CodeInvalidResponse, octopus.Failed, 1, "hello"},
		{"the head", unreadOf(long, 0), spec.CodeInvalidResponse, octopus.Failed, 1, "a\n\n[7 more bytes are left out.]\n"},
		{"stopped", unreadOf([]byte("b"), 100), spec.CodeOutputLimit, octopus.Failed, 1, "b\n\n[At least 99 more bytes are left out.]\n"},
		{"it succeeded", unreadOf([]byte("hello"), 5), "", octopus.Succeeded, 0, ""},
	} {
		o := &outcome{Result: wire.Result{Reason: c.reason}, unread: c.unread}
		got := artifacts(x, time.Unix(1, 0), c.status, o)
		if len(got) != c.files {
			t.Errorf("%s: %d files", c.name, len(got))
		} else if c.files > 0 && (!strings.HasSuffix(string(got[0].Data), c.end) || len(got[0].Data) > wire.MaxInvalid+100 || got[0].Attempt != 2) {
			t.Errorf("%s: %+v", c.name, got[0])
		}
	}
}

// What a dry run would have done is kept, and nothing of what its response asks for is done. Of any other run, and of an
// agent that reports something else, nothing is kept.
func TestDryRunIsKept(t *testing.T) {
	t.Parallel()
	good := json.RawMessage(`[{"op":"kv.set","target":"a","message":"store 1 bytes under the key a"}]`)
	for name, c := range map[string]struct {
		dry     bool
		intents json.RawMessage
		kept    int
	}{
		"dry":             {true, good, 1},
		"nothing changes": {true, nil, 0},
		"real":            {false, good, 0},
		"no list":         {true, json.RawMessage(`{"op":1}`), 0},
		"too long":        {true, json.RawMessage(`["` + strings.Repeat("x", wire.MaxIntents) + `"]`), 0},
	} {
		e := from(evResult)
		e.result = resultOf(octopus.Succeeded, 200)
		e.result.Intents = c.intents
		e.result.response.Data = []spec.Operation{{Type: spec.OpDB, Name: "r", Value: json.RawMessage("1")}, {Type: spec.OpCache, Name: "c", Value: json.RawMessage("1")}}
		x := in(octopus.Running)
		x.Attempt, x.DryRun = 1, c.dry
		next, change, _ := steps(t, x, noon, e)
		if next.Status != octopus.Succeeded || len(change.Artifacts) != c.kept {
			t.Errorf("%s: %s, %+v", name, next.Status, change.Artifacts)
		}
		if done := len(change.Results) + len(change.Cache); (done == 0) != c.dry {
			t.Errorf("%s: %d operations were carried out", name, done)
		}
		for _, a := range change.Artifacts {
			if a.Name != octopus.ArtifactDryRun || string(a.Data) != string(good) || a.Attempt != 1 {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// TestHandedOver: files that the plugin handed over are kept whatever its result, and one that may be tried again has
// those of each attempt. What does not arrive is told.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	e := from(evResult)
	for _, status := range []int{200, 404} {
		e.result = resultOf(octopus.Succeeded, status)
		e.result.files = []wire.Artifact{{Name: "a.bin", MediaType: "x/y", Data: []byte{1}}}
		x := in(octopus.Running)
		x.Attempt = 1
		_, c, _ := steps(t, x, noon, e)
		if len(c.Artifacts) != 1 || c.Artifacts[0].Name != "a.bin" || c.Artifacts[0].MediaType != "x/y" || c.Artifacts[0].Attempt != 1 {
			t.Errorf("status %d: %+v", status, c.Artifacts)
		}
		x.DryRun = true
		if _, c, _ = steps(t, x, noon, e); len(c.Artifacts) != 0 {
			t.Errorf("a dry run left %+v", c.Artifacts)
		}
	}
	e.result = resultOf(octopus.Succeeded, 200)
	e.result.filesLost = "The disk was full."
	next, c, _ := steps(t, in(octopus.Running), noon, e)
	told := slices.ContainsFunc(c.Events, func(e octopus.Event) bool {
		return e.Kind == "artifacts_lost" && e.Message == "Files that the plugin handed over are not kept. The disk was full."
	})
	if next.Status != octopus.Succeeded || !told {
		t.Errorf("%s, events %+v", next.Status, c.Events)
	}
}

// TestFilesOf: an upload that is not there or not as it should be takes no result away.
func TestFilesOf(t *testing.T) {
	t.Parallel()
	kept := storetest.Open(t)
	d := &Dispatcher{store: kept}
	upload := func(names ...string) string {
		var list []wire.Artifact
		for _, name := range names {
			list = append(list, wire.Artifact{Name: name, Data: []byte("x")})
		}
		raw, err := wire.EncodeArtifacts(list)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(raw)
		sha := hex.EncodeToString(sum[:])
		if err := kept.SaveBlob(t.Context(), sha, raw); err != nil {
			t.Fatal(err)
		}
		return sha
	}
	for name, c := range map[string]struct {
		sha   string
		lost  string
		files int
		told  string
	}{
		"none":         {"", "", 0, ""},
		"two":          {upload("a", "b"), "", 2, ""},
		"not there":    {"00", "", 0, "not there"},
		"a path":       {upload("a", "../b"), "", 0, "cannot be read"},
		"a host's":     {upload(octopus.ArtifactDryRun), "", 0, "cannot be read"},
		"agent's word": {"", "Its disk was full.", 0, "Its disk was full."},
	} {
		o := &outcome{Result: wire.Result{ArtifactsSHA256: c.sha, ArtifactsLost: c.lost}}
		if err := d.filesOf(t.Context(), o); err != nil || len(o.files) != c.files || !strings.Contains(o.filesLost, c.told) || (c.told == "") != (o.filesLost == "") {
			t.Errorf("%s: %d files, %q, %v", name, len(o.files), o.filesLost, err)
		}
	}
}
