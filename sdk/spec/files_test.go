package spec

import (
	"path"
	"slices"
	"strings"
	"testing"
)

func TestBelow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder, file, rel string
		ok                bool
	}{
		{"/var/log", "/var/log", ".", true},
		{"/var/log", "/var/log/", ".", true},
		{"/var/log/", "/var/log/a/b", "a/b", true},
		{"/var/log", "/var/log/./a//b", "a/b", true},
		{"/", "/etc/passwd", "etc/passwd", true},
		{"/", "/", ".", true},
		{"/var/log", "/var/logs/a", "", false},
		{"/var/log", "/var", "", false},
		{"/var/log", "/var/log/../../etc/passwd", "", false},
		{"/var/log", "/var/log/../log/a", "a", true},
		{"/var/log", "/../var/log/a", "a", true},
		{"/var/log", "/VAR/log/a", "", false},
		{`C:\Logs`, `c:/logs/App.log`, "App.log", true},
		{`C:\Logs`, `C:\Logs\a\b.log`, "a/b.log", true},
		{`C:\Logs`, `C:\Logs\..\Windows\x`, "", false},
		{`C:\Logs`, `D:\Logs\x`, "", false},
		{`C:\Logs`, `/Logs/x`, "", false},
		{`\\host\share`, `\\HOST\share\x`, "x", true},
		{"/var/log", `/var/log\a`, "", false},
		{"/a", `/a/b\..\..\c`, `b\..\..\c`, true}, // one name, where a backslash is a letter
	} {
		rel, ok := File{Path: c.folder}.Below(c.file)
		if rel != c.rel || ok != c.ok {
			t.Errorf("%s below %s: %q %v", c.file, c.folder, rel, ok)
		}
	}
}

// A path is within what the intersection of two grants allows exactly if it is within both; nothing climbs out.
func FuzzBelow(f *testing.F) {
	f.Add("/var/log", "/var", "/var/log/../log/a")
	f.Add("/", "/a/b", "/a/b/../c")
	f.Add(`C:\a`, `c:/A/b`, `C:\a\b\..\c`)
	f.Fuzz(func(t *testing.T, a, b, file string) {
		x, y := File{Path: a, Mode: "rw"}, File{Path: b, Mode: "rw"}
		rel, inX := x.Below(file)
		_, inY := y.Below(file)
		if inX && (path.IsAbs(rel) || slices.Contains(strings.Split(rel, "/"), "..")) {
			t.Errorf("%q below %q is %q", file, a, rel)
		}
		both := Capabilities{Files: []File{x}}.Intersect(Capabilities{Files: []File{y}}).Files
		in := slices.ContainsFunc(both, func(z File) bool {
			_, ok := z.Below(file)
			return ok
		})
		if in != (inX && inY) {
			t.Errorf("%q is within %q: %v, within %q: %v, within both (%v): %v", file, a, inX, b, inY, both, in)
		}
	})
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	asks := Capabilities{Exec: []Exec{{Name: "*"}}, Script: &Script{Interpreters: []string{"*"}, Reason: "why"}}
	if got := asks.Missing(Capabilities{}); len(got) != 2 || !strings.Contains(got[0], "any command") || !strings.Contains(got[1], "any interpreter") {
		t.Errorf("%q", got)
	}
	if got := asks.Missing(asks); got != nil {
		t.Errorf("%q", got)
	}
	some := Capabilities{Exec: []Exec{{Name: "uptime"}}, Script: &Script{Interpreters: []string{"sh"}}}
	both := asks.Intersect(some)
	if len(both.Exec) != 1 || both.Exec[0].Name != "uptime" || !slices.Equal(both.Script.Interpreters, []string{"sh"}) || both.Script.Reason != "why" {
		t.Errorf("%+v", both)
	}
	if got := asks.Missing(some); len(got) != 2 {
		t.Errorf("%q", got)
	}
	other := Capabilities{Script: &Script{Interpreters: []string{"python3"}}}
	if got := some.Intersect(other); got.Script != nil || got.Exec != nil || got.Unsandboxed() {
		t.Errorf("%+v", got)
	}
	if !some.Unsandboxed() || !other.Unsandboxed() || (Capabilities{HTTP: &HTTP{}}).Unsandboxed() {
		t.Error("unsandboxed")
	}
}
