package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const machine = `
capabilities:
  files: [/var/log, {path: /srv/out, mode: rw}]
  env: {TZ: Europe/Berlin, HOME: null}
  exec:
    uptime: [/usr/bin/uptime]
    restart:
      command: [/usr/bin/systemctl, restart]
      args: ["web-[0-9]+", "--now|--later"]
      dir: /srv
      env: {LANG: C}
      timeout: 2m
      output: 64KiB
  script: [sh, python3]
`

func TestMachine(t *testing.T) {
	p, err := Parse([]byte(machine))
	if err != nil {
		t.Fatal(err)
	}
	files := p.Files()
	if len(files) != 2 || files[0].Path != "/var/log" || files[0].Writable() || !files[1].Writable() {
		t.Errorf("%+v", files)
	}
	uptime, ok := p.Command("uptime")
	if !ok || !slices.Equal(uptime.Argv, []string{"/usr/bin/uptime"}) || uptime.Timeout != DefaultCommandTimeout || uptime.Output != DefaultCommandOutput {
		t.Errorf("%+v", uptime)
	}
	if _, refused := uptime.Refused(nil); refused {
		t.Error("a command without arguments is refused")
	}
	if arg, refused := uptime.Refused([]string{"-p"}); !refused || arg != "-p" {
		t.Error("arguments of a command that takes none")
	}
	restart, _ := p.Command("restart")
	if restart.Timeout != 2*time.Minute || restart.Output != 64<<10 || restart.Dir != "/srv" || !slices.Equal(restart.Env, []string{"LANG=C"}) {
		t.Errorf("%+v", restart)
	}
	for arg, fine := range map[string]bool{"web-1": true, "--now": true, "--later": true, "web-": false, "xweb-1": false, "web-1\n": false, "web-1 x": false, "--nowx": false, "": false} {
		if _, refused := restart.Refused([]string{"web-7", arg}); refused == fine {
			t.Errorf("%q: allowed is not %v", arg, fine)
		}
	}
	if _, ok := p.Command("reboot"); ok || !slices.Equal(p.Commands(), []string{"restart", "uptime"}) {
		t.Errorf("%v", p.Commands())
	}
	if !p.Interpreter("sh") || p.Interpreter("perl") {
		t.Error("interpreters")
	}
	t.Setenv("HOME", "/home/ada")
	t.Setenv("OCTOPUS_TOKEN", "secret")
	t.Setenv("OTHER", "x")
	if env := p.Environment([]string{"TZ", "HOME", "OTHER", "OCTOPUS_TOKEN"}); !slices.Equal(env, []string{"TZ=Europe/Berlin", "HOME=/home/ada"}) {
		t.Errorf("%q", env)
	}
	var none *Policy
	if env := none.Environment([]string{"HOME", "OCTOPUS_TOKEN", "octopus_token", "NO_SUCH_NAME_HERE"}); !slices.Equal(env, []string{"HOME=/home/ada"}) {
		t.Errorf("%q", env)
	}
}

// Without a policy file, and with one that does not name them, there are no files and no commands.
func TestMachineUnnamed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "max_timeout: 1m", "capabilities:\n  kv: true", "capabilities:\n  exec: false\n  env: false"} {
		p, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Command("uptime"); ok || len(p.Files()) != 0 || len(p.Commands()) != 0 {
			t.Errorf("%q allows something", text)
		}
		if named := p.Capabilities == nil; p.Interpreter("sh") != named {
			t.Errorf("%q: interpreter", text)
		}
	}
}

func TestMachineMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"files: true":                                        "files must be a list",
		"files: [relative]":                                  "Line 2: \"relative\" is not an absolute path",
		"files: [/a/../b]":                                   "without",
		"files: [{path: /a, mode: w}]":                       "ro or rw",
		"files: [{path: /a, write: yes}]":                    `files has no key "write"`,
		"env: 1":                                             "true or false",
		"env: [\"A B\"]":                                     "is not a name",
		"env: [OCTOPUS_TOKEN]":                               "never get variables",
		"env: {OCTOPUS_TOKEN: x}":                            "never get variables",
		"env: {A: [1]}":                                      "one value",
		"exec: true":                                         "exec must name commands",
		"exec: [uptime]":                                     "exec must name commands",
		"exec: {\"*\": [/bin/true]}":                         "names each command",
		"exec: {\"rm -rf\": [/bin/true]}":                    "is not a name",
		"exec: {a: []}":                                      "must name a program",
		"exec: {a: [uptime]}":                                "absolute path",
		"exec: {a: {command: [/bin/a], arg: [x]}}":           `has no key "arg"`,
		"exec: {a: {command: [/bin/a], args: [\"(\"]}}":      "regular expression",
		"exec: {a: {command: [/bin/a], args: [\"a)|(b\"]}}":  "regular expression",
		"exec: {a: {command: [/bin/a], args: [\"\\\\Qx\"]}}": "regular expression",
		"exec: {a: {command: [/bin/a], dir: x}}":             "dir must be",
		"exec: {a: {command: [/bin/a], timeout: 0s}}":        "timeout must be",
		"exec: {a: {command: [/bin/a], output: 1GiB}}":       "output must be",
		"exec: {a: {command: [/bin/a], env: {\"A=B\": x}}}":  "not the name of a variable",
		"exec: {a: {command: [/bin/a], env: {A: [x]}}}":      "one value",
		"script: [\"a b\"]":                                  "is not a name",
		"script: maybe":                                      "script must be true or false",
	} {
		if _, err := Parse([]byte("capabilities:\n  " + text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// No text makes a policy that panics, or that allows a command without a program.
func FuzzParse(f *testing.F) {
	f.Add([]byte(machine))
	f.Add([]byte("capabilities:\n  exec: {a: {args: [x]}}"))
	f.Add([]byte("plugins: [\"a*\"]\nmax_memory: 1MiB"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		for _, name := range p.Commands() {
			if c, ok := p.Command(name); !ok || len(c.Argv) == 0 || c.Timeout <= 0 || c.Output <= 0 {
				t.Errorf("%s: %+v", name, c)
			}
		}
		for _, dir := range p.Files() {
			if _, ok := dir.Below(dir.Path); !ok {
				t.Errorf("%q is not within itself", dir.Path)
			}
		}
	})
}
