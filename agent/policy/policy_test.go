package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
)

func TestNoPolicy(t *testing.T) {
	t.Parallel()
	var p *Policy
	if !p.AllowsPlugin("x") || !p.AllowsFiles() || !p.HTTP("a", 1, "PUT") || !p.Net("a", 0) || !p.Host("os") || !p.KV() ||
		p.Refusal("x", 1<<40, time.Hour) != "" || p.SandboxRefusal("basic") != "" || p.String() != "" || p.HTTPAddresses() != nil {
		t.Error("without a policy something that was granted is refused")
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(`
# what may run on web-01
plugins: [http-check, "disk-*"]
capabilities:
  http: {hosts: ["*.example.com:443"], addresses: [public, 10.0.0.0/8], methods: [get]}
  net: true
  host: [os, load]
max_memory: 64MiB
max_timeout: 2m
file_outputs: false
sandbox: filtered
`))
	if err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"plugin":         p.AllowsPlugin("http-check") && p.AllowsPlugin("disk-usage") && !p.AllowsPlugin("echo"),
		"host":           p.HTTP("a.example.com", 443, "GET") && !p.HTTP("a.example.com", 80, "GET") && !p.HTTP("example.org", 443, "GET"),
		"method":         !p.HTTP("a.example.com", 443, "POST"),
		"net":            p.Net("anything", 5432) && p.Net("anything", 0) && p.NetAddresses() == nil,
		"parts":          p.Host("os") && !p.Host("disks"),
		"kv":             !p.KV(),
		"files":          !p.AllowsFiles(),
		"memory":         p.Refusal("http-check", 65<<20, time.Second) != "" && p.Refusal("http-check", 64<<20, time.Second) == "",
		"timeout":        p.Refusal("http-check", 1, 3*time.Minute) != "",
		"unknown plugin": strings.Contains(p.Refusal("echo", 1, 1), "echo"),
		"sandbox":        p.SandboxRefusal("full") == "" && p.SandboxRefusal("filtered") == "" && p.SandboxRefusal("process") != "" && p.SandboxRefusal("") != "",
		"addresses":      len(p.HTTPAddresses()) == 2,
		"text":           strings.HasPrefix(p.String(), "# what"),
	} {
		if !ok {
			t.Error(what)
		}
	}
}

func TestEmptyPolicy(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing yet\n"} {
		if p, err := Parse([]byte(text)); err != nil || !p.AllowsFiles() || !p.KV() || !p.AllowsPlugin("x") {
			t.Errorf("%q: %+v %v", text, p, err)
		}
	}
}

// Each mistake is named with its line; nothing is ignored in silence.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plugin: [a]":                             `Line 1: the policy has no key "plugin"`,
		"\nmax_memory: lots":                      "Line 2: max_memory",
		"max_memory: 0":                           "Line 1: max_memory",
		"max_timeout: -1s":                        "Line 1: max_timeout",
		"sandbox: strong":                         "full, filtered, process, basic",
		"file_outputs: maybe":                     "file_outputs must be true or false",
		"plugins: http-check":                     "a list",
		"plugins: [\"[\"]":                        "pattern",
		"capabilities: [http]":                    "Line 1: capabilities must be",
		"capabilities:\n  htpp: true":             `Line 2: capabilities has no key "htpp"`,
		"capabilities:\n  http: {host: [a]}":      `http has no key "host"`,
		"capabilities:\n  http: {hosts: [a/b]}":   "Line 2",
		"capabilities:\n  net: {methods: [GET]}":  `net has no key "methods"`,
		"capabilities:\n  http: {addresses: [x]}": "Line 2",
		"capabilities:\n  host: [weather]":        "weather",
		"capabilities:\n  kv: 1":                  "kv must be true or false",
		"sandbox: full\nsandbox: basic":           "appears twice",
		"a: [":                                    "line 1",
		"just text":                               "Line 1",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	_, err := Parse([]byte("sandbox: x\nmax_timeout: y\nz: 1"))
	if err == nil || strings.Count(err.Error(), "Line") != 3 {
		t.Errorf("not all problems at once: %v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if _, err := Load(file); octopus.CodeOf(err) != octopus.CodeInvalid {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("nope: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("#", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil {
		t.Error("a huge file was read")
	}
}
