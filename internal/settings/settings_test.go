package settings_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/settings"
)

// config has a setting of each type.
type config struct {
	Text     string            `key:"one.text"`
	Switch   bool              `key:"one.switch"`
	Number   int               `key:"one.number"`
	Size     int64             `key:"one.size"`
	Wait     time.Duration     `key:"two.wait"`
	Networks []netip.Prefix    `key:"two.networks"`
	Labels   map[string]string `key:"two.labels" flag:"label"`
	Token    string            `key:"two.token" secret:"yes"`
	Database string            `key:"two.database" secret:"url"`
	Inner    inner             `prefix:"three." flags:"in-"`
	Other    func()
}

type inner struct {
	Level string `key:"level"`
}

func (config) Help() map[string]string {
	return map[string]string{"Text": "what to say. Defaults to nothing much."}
}

func defaults() config {
	return config{Text: "standard", Number: 1, Size: 64 << 20, Wait: time.Hour, Inner: inner{"info"}}
}

// given are the layers of a case. Flags are written as flag=word.
type given struct {
	profile, file string
	env           map[string]string
	flags         []string
}

func resolve(t *testing.T, g given) (config, *settings.Set, string, error) {
	t.Helper()
	c := defaults()
	s := settings.New(&c)
	s.Also = []string{"other.key"}
	l := settings.Layers{
		Profile: g.profile, Standard: "base",
		Profiles: map[string][]byte{"base": nil, "prod": []byte("one: {text: of prod}\nthree: {level: warn}\n")},
		Env:      func(name string) (string, bool) { v, ok := g.env[name]; return v, ok },
	}
	if g.file != "" {
		l.File = filepath.Join(t.TempDir(), "octopus.yaml")
		if err := os.WriteFile(l.File, []byte(g.file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range g.flags {
		name, word, _ := strings.Cut(f, "=")
		i := slices.IndexFunc(s.All(), func(x *settings.Setting) bool { return x.Flag == name })
		if err := s.All()[i].Set(word); err != nil {
			return c, s, "", err
		}
	}
	profile, err := s.Resolve(l)
	return c, s, profile, err
}

// TestLayers: each layer wins over those before it, and the origin says which one it was.
func TestLayers(t *testing.T) {
	t.Parallel()
	g := given{}
	check := func(want, origin string) {
		t.Helper()
		c, s, _, err := resolve(t, g)
		x := s.Lookup("one.text")
		if err != nil || c.Text != want || !strings.Contains(x.Origin().String(), origin) {
			t.Errorf("got %q from %q, error %v; want %q from %q", c.Text, x.Origin(), err, want, origin)
		}
	}
	check("standard", "default")
	g.profile = "prod"
	check("of prod", "profile prod")
	g.file = "# settings\none:\n  text: of the file\n"
	check("of the file", "octopus.yaml:3")
	g.env = map[string]string{"OCTOPUS_TEXT": "of the environment"}
	check("of the environment", "environment OCTOPUS_TEXT")
	g.flags = []string{"text=of the flag"}
	check("of the flag", "flag --text")
}

func TestProfileOfTheFile(t *testing.T) {
	t.Parallel()
	c, _, profile, err := resolve(t, given{file: "profile: prod\n"})
	if err != nil || profile != "prod" || c.Inner.Level != "warn" {
		t.Errorf("profile %q, level %q, error %v", profile, c.Inner.Level, err)
	}
	c, _, profile, err = resolve(t, given{profile: "base", file: "profile: prod\n"})
	if err != nil || profile != "base" || c.Inner.Level != "info" {
		t.Errorf("asked for base: profile %q, level %q, error %v", profile, c.Inner.Level, err)
	}
}

// TestTypes: every type means the same in a file, in the environment and as a flag, and is written as it is read.
func TestTypes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ key, flag, yaml, word, want string }{
		{"one.text", "text", "x", "x", "x"},
		{"one.text", "text", "42", "42", "42"},
		{"one.switch", "switch", "true", "true", "true"},
		{"one.number", "number", "7", "7", "7"},
		{"one.size", "size", "1GiB", "1GiB", "1GiB"},
		{"one.size", "size", "1500", "1500", "1500"},
		{"one.size", "size", "2 MB", "2 MB", "2000000"},
		{"two.wait", "wait", "90s", "90s", "1m30s"},
		{"two.wait", "wait", "30d", "30d", "30d"},
		{"two.wait", "wait", "1d12h", "1d12h", "36h"},
		{"two.networks", "networks", "[10.0.0.0/8, \"::1\"]", "10.0.0.0/8,::1", "10.0.0.0/8,::1/128"},
		{"two.networks", "networks", "[]", "", ""},
		{"two.labels", "label", "{env: prod, role: 1}", "env=prod,role=1", "env=prod,role=1"},
		{"two.labels", "label", "[env=prod]", "env=prod", "env=prod"},
		{"three.level", "in-level", "debug", "debug", "debug"},
	} {
		section, key, _ := strings.Cut(tc.key, ".")
		for name, g := range map[string]given{
			"file":        {file: section + ":\n  " + key + ": " + tc.yaml + "\n"},
			"environment": {env: map[string]string{settings.Variable(tc.flag): tc.word}},
			"flag":        {flags: []string{tc.flag + "=" + tc.word}},
		} {
			_, s, _, err := resolve(t, g)
			if got := s.Lookup(tc.key).String(); err != nil || got != tc.want {
				t.Errorf("%s as %s: %q, error %v; want %q", tc.key, name, got, err, tc.want)
			}
		}
	}
}

// TestProblems: all are told at once, each with its place, and none hides a setting that is right.
func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file string
		want       []string
	}{
		{"nearest key", "one: {txt: x}", []string{":1: there is no key one.txt; did you mean one.text?"}},
		{"another section", "two: {text: x}", []string{"there is no key two.text; did you mean one.text?"}},
		{"nothing near", "zebra: {crossing: x}", []string{"there is no key zebra.crossing: octopus config show lists them"}},
		{"several", "one:\n  switch: maybe\n  number: 1.5\n  size: big\ntwo:\n  wait: 30\n", []string{
			"4 settings are wrong:", `:2: one.switch must be true or false, not "maybe".`, `:3: one.number must be a whole number, not "1.5".`,
			":4: one.size must be a size such as", `:6: two.wait must be a duration such as 90s, 15m, 24h or 30d, not "30".`}},
		{"list for one", "one: {number: [1, 2]}", []string{":1: one.number must be one number, not a list."}},
		{"nested", "two: {labels: {env: {a: b}}}", []string{"two.labels must hold single values below its keys."}},
		{"network", "two: {networks: [home]}", []string{`two.networks must be networks such as 10.0.0.0/8, not "home".`}},
		{"twice", "one:\n  text: a\n  text: b\n", []string{":3: one.text stands in line 2 too."}},
		{"no section", "one: x", []string{":1: one must be a section with keys below it."}},
		{"a list", "- one", []string{"is not a configuration file of sections"}},
		{"not YAML", "one: [", []string{"is not YAML: "}},
		{"profile", "profile: test", []string{`There is no profile "test"; there are base, prod.`}},
		{"huge duration", "two: {wait: 200000d}", []string{"must be a duration"}},
		{"negative size", "one: {size: -1}", []string{"must be a size"}},
	} {
		_, s, _, err := resolve(t, given{file: tc.file, env: map[string]string{"OCTOPUS_TOKEN": "kept"}})
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", tc.name, err, want)
			}
		}
		if s.Lookup("two.token").String() != "kept" {
			t.Errorf("%s: a setting that is right was lost", tc.name)
		}
	}
	if _, _, _, err := resolve(t, given{file: "other: {key: x}\none:\n\n# nothing\ntwo: {wait: }\n"}); err != nil {
		t.Errorf("another process's key, an empty section and an empty value: %v", err)
	}
	if _, _, _, err := resolve(t, given{env: map[string]string{"OCTOPUS_WAIT": "soon"}}); err == nil || !strings.Contains(err.Error(), "OCTOPUS_WAIT must be a duration") {
		t.Errorf("environment: %v", err)
	}
	if _, _, _, err := resolve(t, given{flags: []string{"wait=soon"}}); err == nil || !strings.Contains(err.Error(), "must be a duration") {
		t.Errorf("flag: %v", err)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ database, want string }{
		{"/var/lib/octopus.db", "/var/lib/octopus.db"},
		{"postgres://ada@db/octopus", "postgres://ada@db/octopus"},
		{"postgres://ada:hunter2@db/octopus", "postgres://ada:xxxxx@db/octopus"},
		{"postgres://db/octopus?password=hunter2", "postgres://db/octopus?password=xxxxx"},
		{"host=db password=hunter2", "••••••"},
		{"postgres://ada:hunter2@[db", "••••••"},
	} {
		_, s, _, err := resolve(t, given{env: map[string]string{"OCTOPUS_TOKEN": "hunter2", "OCTOPUS_DATABASE": tc.database}})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Lookup("two.database").Shown(); got != tc.want {
			t.Errorf("%s is shown as %s", tc.database, got)
		}
		if got := s.Lookup("two.token").Shown(); strings.Contains(got, "hunter2") || got == "" {
			t.Errorf("the token is shown as %q", got)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 24 * time.Hour: "1d", 15 * time.Minute: "15m", 90 * time.Second: "1m30s", 10 * time.Second: "10s",
		90 * time.Minute: "1h30m", 25 * time.Hour: "25h", 100 * time.Millisecond: "100ms",
	} {
		if got := settings.Duration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

// FuzzFile: no text makes Resolve panic, and what it accepts it can show.
func FuzzFile(f *testing.F) {
	for _, text := range []string{"one: {text: x}", "two: {labels: {a: b}}", "a: &a [*a]", "one: {<<: {text: x}}", "profile: prod", "? [x]\n: y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := defaults()
		s := settings.New(&c)
		path := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Resolve(settings.Layers{File: path}); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		for _, x := range s.All() {
			_ = x.Shown()
		}
	})
}
