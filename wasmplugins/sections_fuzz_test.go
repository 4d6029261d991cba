package wasmplugins

import (
	"bytes"
	"testing"
)

// FuzzSections: the sections that the scanner finds are the whole file, one after the other; a section that is put in
// is found, and changes no other; what is compiled has passed whatever the whole module has.
func FuzzSections(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		at := len(header)
		err := sections(raw, func(s section) bool {
			if s.start != at || s.end <= s.start || s.end > len(raw) || len(s.body) > s.end-s.start {
				t.Fatalf("section %d of bytes %d to %d, %d of body, where %d was next", s.id, s.start, s.end, len(s.body), at)
			}
			if !bytes.Equal(s.body, raw[s.end-len(s.body):s.end]) || s.name != "" && s.id != secCustom {
				t.Fatalf("section %d named %q is not what the file has", s.id, s.name)
			}
			at = s.end
			return true
		})
		if err != nil {
			return
		}
		if at != len(raw) {
			t.Fatalf("the sections end at byte %d of %d", at, len(raw))
		}
		const name, content = "octopus.test", "content"
		put, err := putSection(raw, name, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := CustomSection(put, name); string(got) != content || err != nil {
			t.Fatalf("put in: %q, %v", got, err)
		}
		if again, err := putSection(put, name, []byte(content)); err != nil || !bytes.Equal(again, put) {
			t.Fatalf("put in twice it changes, %v", err)
		}
		if code := codeOf(raw); !bytes.Equal(codeOf(code), code) || !bytes.Equal(codeOf(put), code) && len(code) != len(raw) {
			t.Fatal("what is compiled depends on more than the code")
		}
		if _, err := Check(raw, 0); err == nil {
			if _, err := Check(codeOf(raw), 0); err != nil {
				t.Fatalf("what is compiled: %v", err)
			}
		}
	})
}
