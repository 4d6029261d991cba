package wasmplugins

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestPackScript(t *testing.T) {
	t.Parallel()
	engine := module(t, "noop")
	one, err := PackScript(engine, []byte("export function a() {}"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := PackScript(one, []byte("export function b() {}"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ScriptOf(two)
	if err != nil || string(got) != "export function b() {}" {
		t.Errorf("got %q, %v", got, err)
	}
	at, size, err := scriptIn(two)
	if err != nil || !bytes.Equal(two[at:at+size], got) {
		t.Errorf("it is said to be at %d with %d bytes, %v", at, size, err)
	}
	if Digest(one) == Digest(two) {
		t.Error("two scripts have one digest")
	}
	if info, err := Check(two, 0); err != nil || !info.HasScript {
		t.Errorf("%+v, %v", info, err)
	}
	if _, size, err := scriptIn(engine); size != 0 || err != nil {
		t.Errorf("an engine alone has a script of %d bytes, %v", size, err)
	}
}

// What an engine could not run is refused when it is packed, and again when a
// module arrives that somebody else has packed.
func TestScriptRefusals(t *testing.T) {
	t.Parallel()
	engine := module(t, "noop")
	for want, script := range map[string][]byte{
		"is empty":       []byte(" \n"),
		"has a NUL":      []byte("a\x00b"),
		"is not UTF-8":   []byte("// \xff"),
		"1024 KiB are a": bytes.Repeat([]byte("x"), MaxScript+1),
	} {
		forged, err := putSection(engine, ScriptSection, script)
		if err != nil {
			t.Fatal(err)
		}
		_, packed := PackScript(engine, script)
		_, checked := Check(forged, 0)
		for _, err := range []error{packed, checked} {
			var r *Refusal
			if !errors.As(err, &r) || r.Code != "script" || !strings.Contains(r.Message, want) {
				t.Errorf("%s: %v", want, err)
			}
		}
	}
	twice, err := PackScript(engine, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	twice = append(twice, twice[len(engine):]...)
	var r *Refusal
	if _, err := Check(twice, 0); !errors.As(err, &r) || r.Code != "malformed" {
		t.Errorf("two scripts: %v", err)
	}
}
