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
