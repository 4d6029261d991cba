package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"octopus/agent"
	"octopus/internal/settings"
	"octopus/server"
)

// TestDefaults: what the comments say is what counts. Defaults in words have no value to compare with.
func TestDefaults(t *testing.T) {
	t.Parallel()
	s, g := server.Defaults(), agent.Defaults()
	for _, set := range []*settings.Set{settings.New(&s), settings.New(&g)} {
		for _, x := range set.All() {
			switch {
			case x.Help == "" || x.Default == "":
				t.Errorf("%s has no help: run make generate", x.Key)
			case x.String() == "" || x.Default == "loopback" || x.Key == "agent.data" || x.Key == "agent.slots" || x.Key == "agents.heartbeat" || x.Key == "agents.connects_per_second":
				continue
			}
			probe := s
			other := settings.New(&probe)
			if strings.HasPrefix(set.Keys()[0], "agent.") {
				probe := g
				other = settings.New(&probe)
			}
			y := other.Lookup(x.Key)
			if err := y.Set(x.Default); err != nil {
				t.Errorf("%s: the default %q is not one: %v", x.Key, x.Default, err)
			}
			if _, err := other.Resolve(settings.Layers{}); err != nil || y.String() != x.String() {
				t.Errorf("%s: the comment says %q, which is %q, but it is %q (error %v)", x.Key, x.Default, y, x, err)
			}
		}
	}
	if err := s.Validate(); err != nil {
		t.Errorf("the server's defaults: %v", err)
	}
	if err := g.Validate(); err != nil {
		t.Errorf("the agent's defaults: %v", err)
	}
}

// TestKeysAreApart: one file serves all processes, so no key may mean two things; and no flag of a process twice.
func TestKeysAreApart(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, key := range keysOfProcesses() {
		if seen[key] {
			t.Errorf("%s means two things", key)
		}
		seen[key] = true
	}
}

// TestProfiles: they name only what there is, and prod is safe.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for name := range profiles() {
		for _, into := range []settings.Helper{&server.Config{}, &agent.Config{}} {
			set := settings.New(into)
			set.Also = keysOfProcesses()
			if _, err := set.Resolve(settings.Layers{Profile: name, Profiles: profiles()}); err != nil {
				t.Errorf("%s for %s: %v", name, reflect.TypeOf(into), err)
			}
		}
	}
	cfg := server.Defaults()
	if _, err := settings.New(&cfg).Resolve(settings.Layers{Profile: "prod", Profiles: profiles()}); err == nil && cfg.Validate() == nil {
		t.Error("prod starts with plain HTTP")
	}
}

// TestBadSettings: the process does not start, and says all that is wrong.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "octopus.yaml")
	const text = "server:\n  listn: \":1\"\n  public_url: nowhere\nlogging: {level: loud}\ntasks:\n  retention: 0s\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"server"}, {"dev"}, {"config", "check"}, {"config", "show"}} {
		got := command(t, "", append(args, "--config", path)...)
		for _, want := range []string{
			"4 settings are wrong:", ":2: there is no key server.listn; did you mean server.listen?", `server.public_url (--public-url) is "nowhere"`,
			`logging.level is "loud", but must be one of debug, info, warn, error.`, "tasks.retention (--retention) is 0s, but must be 1m to",
		} {
			if got.code != ExitUsage || !strings.Contains(got.err, want) {
				t.Errorf("%q: exit code %d, %q does not say %q", args, got.code, got.err, want)
			}
		}
	}
}

// TestConfigShow: every key is there with its origin, and nothing secret.
func TestConfigShow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "octopus.yaml")
	if err := os.WriteFile(path, []byte("profile: prod\nserver:\n  public_url: https://octopus.example.com\nagent: {token: hunter2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(t, "", "config", "show", "--config", path, "--database", "postgres://ada:hunter2@db/octopus")
	for _, want := range []string{"file " + path + ":3", "90d", "profile prod", "postgres://ada:xxxxx@db/octopus", "flag --database", "(dist beside the executable)"} {
		if got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("exit code %d, %q does not say %q %s", got.code, got.out, want, got.err)
		}
	}
	secret := command(t, "", "config", "show", "agent", "--config", path)
	if secret.code != 0 || !strings.Contains(secret.out, "agent.token ") || strings.Contains(got.out+secret.out, "hunter2") {
		t.Errorf("exit code %d: %s", secret.code, secret.out)
	}
	for _, process := range []string{"server", "dev", "agent"} {
		if got := command(t, "", "config", "show", process, "-o", "json"); got.code != 0 || !strings.Contains(got.out, `"origin": "default"`) {
			t.Errorf("%s: exit code %d: %s %s", process, got.code, got.out, got.err)
		}
	}
}
