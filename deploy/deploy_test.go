package deploy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestScripts(t *testing.T) {
	t.Parallel()
	for name, script := range map[string][]byte{
		"sh": InstallSh("https://octopus.example.com"), "ps1": InstallPs1("https://octopus.example.com"),
	} {
		if !bytes.Contains(script, []byte("'https://octopus.example.com'")) {
			t.Errorf("%s does not name the server", name)
		}
		for _, mark := range []string{"@URL@", "@UNIT@", "@STATE@", "@TOKEN@"} {
			if bytes.Contains(script, []byte(mark)) {
				t.Errorf("%s still has %s", name, mark)
			}
		}
	}
	if sh := InstallSh("https://x/'; rm -rf /; '"); !bytes.Contains(sh, []byte(`server='https://x/'\''; rm -rf /; '\'''`)) {
		t.Error("an address breaks out of its quotes")
	}
}

func run(t *testing.T, script []byte, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-s", "--"}, args...)...)
	cmd.Stdin = bytes.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestShellIsClean(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "install.sh")
	if err := os.WriteFile(file, InstallSh("https://octopus.example.com"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-n", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	if out, err := exec.Command("shellcheck", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What goes wrong before anything is installed is said in one sentence.
func TestShellRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root, to come as far as the refusals")
	}
	bad := []byte("not what the sums say")
	sum := sha256.Sum256([]byte("something else"))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/empty/"):
		case strings.HasSuffix(r.URL.Path, "/SHA256SUMS"):
			fmt.Fprintf(w, "%x  octopus-%s-%s\n", sum, runtime.GOOS, runtime.GOARCH)
		default:
			w.Write(bad)
		}
	}))
	defer s.Close()
	for _, c := range []struct {
		url  string
		args []string
		want string
	}{
		{"http://server.example", []string{"--token", "t"}, "--insecure"},
		{"server.example", nil, "not a server's address"},
		{s.URL, []string{"--wrong"}, "--wrong is not an option"},
		{s.URL, []string{"--token"}, "needs a value"},
		{s.URL, []string{"--name", "a'b"}, "quotes"},
		{s.URL, []string{"--label", "a=$(reboot)"}, "dollar"},
		{s.URL, []string{"--transport", "smoke"}, "--transport is auto, websocket or http"},
		{s.URL + "/empty", []string{"--allow-scripts", "--transport", "http"}, "no program for"},
		{s.URL + "/empty", []string{"--token", "t"}, "no program for"},
		{"http://127.0.0.1:1", []string{"--token", "t"}, "cannot be downloaded"},
		{s.URL, []string{"--token", "t"}, "the download is damaged"},
	} {
		out, err := run(t, InstallSh(c.url), c.args...)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s %v: %v\n%s", c.url, c.args, err, out)
		}
	}
}

func TestUnit(t *testing.T) {
	t.Parallel()
	unit, err := Unit(UnitConfig{Argv: []string{"/bin/sh", "agent", "--name", `it's "100%" $me\`}, Data: "/var/lib/other"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`ExecStart=/bin/sh agent --name "it's \"100%%\" $$me\\" --token-file ${CREDENTIALS_DIRECTORY}/token`,
		"StateDirectory=other\n", "LoadCredential=token:/etc/octopus-agent/token\n", "NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes",
	} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
	for _, c := range []UnitConfig{{Data: "/srv/x"}, {Data: "/var/lib/"}, {Data: "/var/lib/../x"}, {TokenFile: "/a b"}, {Argv: []string{"a\nExecStart=/bin/evil"}}} {
		if _, err := Unit(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	file := filepath.Join(t.TempDir(), "octopus-agent.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// scratch is a root folder with a systemctl that writes down what it is told.
type scratch struct {
	t    *testing.T
	root string
}

// run runs the install script with every path of the system below the scratch root.
func (s scratch) run(script []byte, args ...string) (string, error) {
	s.t.Helper()
	text := string(script)
	for _, path := range []string{"/usr/local/bin", "/etc/systemd/system", "/etc/octopus-agent", "/run/systemd/system", "/var/lib/octopus-agent"} {
		if !strings.Contains(text, path) {
			s.t.Fatalf("the script does not name %s any more", path)
		}
		text = strings.ReplaceAll(text, path, s.root+path)
	}
	cmd := exec.Command("sh", append([]string{"-s", "--"}, args...)...)
	cmd.Stdin = strings.NewReader(text)
	cmd.Env = append(os.Environ(), "PATH="+s.root+"/fake:"+os.Getenv("PATH"), "SCRATCH="+s.root)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s scratch) read(path string) string {
	raw, err := os.ReadFile(filepath.Join(s.root, path))
	if err != nil {
		return ""
	}
	return string(raw)
}

func newScratch(t *testing.T, systemctl string) scratch {
	t.Helper()
	s := scratch{t, t.TempDir()}
	for _, folder := range []string{"fake", "etc/systemd/system", "run/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(s.root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range map[string]string{"systemctl": systemctl, "sudo": `exec "$@"`} {
		if err := os.WriteFile(filepath.Join(s.root, "fake", name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestInstallIntoAScratchRoot installs, installs again, and removes.
func TestInstallIntoAScratchRoot(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the script installs a service on Linux only")
	}
	program := []byte("#!/bin/sh\nexit 0\n")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/SHA256SUMS") {
			fmt.Fprintf(w, "%x  octopus-%s-%s\n", sha256.Sum256(program), runtime.GOOS, runtime.GOARCH)
			return
		}
		w.Write(program)
	}))
	defer web.Close()
	script := InstallSh(web.URL)
	s := newScratch(t, `echo "$@" >>"$SCRATCH/told"`)
	out, err := s.run(script, "--token", "join_secret", "--name", "web-01", "--label", "env=prod", "--slots", "3")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if s.read("usr/local/bin/octopus") != string(program) || s.read("etc/octopus-agent/token") != "join_secret\n" {
		t.Errorf("program or token are not in place:\n%s", out)
	}
	if info, err := os.Stat(filepath.Join(s.root, "etc/octopus-agent/token")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token: %v %v", info, err)
	}
	unit := s.read("etc/systemd/system/octopus-agent.service")
	for _, part := range []string{"ExecStart=" + s.root + "/usr/local/bin/octopus agent", "--server", web.URL, "web-01", "env=prod", "--slots", "--token-file ${CREDENTIALS_DIRECTORY}/token", "DynamicUser=yes"} {
		if !strings.Contains(unit, part) {
			t.Errorf("the unit lacks %q:\n%s", part, unit)
		}
	}
	if strings.Contains(unit+s.read("told")+out, "join_secret") {
		t.Error("the token is where others can read it")
	}
	if got := s.read("told"); got != "daemon-reload\nenable octopus-agent\nrestart octopus-agent\n" {
		t.Errorf("systemd was told %q", got)
	}
	if _, err := exec.LookPath("systemd-analyze"); err == nil {
		path := filepath.Join(s.root, "etc/systemd/system/octopus-agent.service")
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}

	if out, err = s.run(script); err != nil || !strings.Contains(out, "is up to date") { // needs no token any more
		t.Errorf("again: %v\n%s", err, out)
	}
	if out, err = s.run(script, "--uninstall"); err != nil || s.read("usr/local/bin/octopus")+s.read("etc/octopus-agent/token")+s.read("etc/systemd/system/octopus-agent.service") != "" {
		t.Errorf("uninstall: %v\n%s", err, out)
	}
	if !strings.HasSuffix(s.read("told"), "disable --now octopus-agent\ndaemon-reload\n") {
		t.Errorf("systemd was told %q", s.read("told"))
	}

	broken := newScratch(t, `[ "$1" != restart ]`)
	if out, err = broken.run(script, "--token", "t"); err == nil || !strings.Contains(out, "the agent does not start") {
		t.Errorf("an agent that does not start: %v\n%s", err, out)
	}
}
