//go:build !windows

package service

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"octopus/internal/octopus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is a scratch systemd that writes down what it is told.
func machine(t *testing.T) (systemd, *[]string) {
	t.Helper()
	var told []string
	folder := t.TempDir()
	return systemd{units: folder, running: folder, root: true, ctl: func(args ...string) error {
		told = append(told, strings.Join(args, " "))
		return nil
	}}, &told
}

func full(t *testing.T) Config {
	t.Helper()
	program := filepath.Join(t.TempDir(), "octopus")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Config{
		Executable: program, Server: "https://octopus.example.com", TokenFile: "/etc/octopus-agent/token", Data: "/var/lib/octopus-agent",
		Policy: "/etc/octopus agent/policy 100%.yaml", CAFile: "/etc/ssl/$own.pem", Transport: "http", Insecure: true,
	}
}

func TestInstallAndUninstall(t *testing.T) {
	t.Parallel()
	s, told := machine(t)
	c, err := full(t).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := s.install(c, &out); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.units, "octopus-agent.service")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "ExecStart=" + c.Executable + ` agent --server https://octopus.example.com --policy "/etc/octopus agent/policy 100%%.yaml"` +
		" --ca-file /etc/ssl/$$own.pem --transport http --insecure --token-file ${CREDENTIALS_DIRECTORY}/token\n"
	for _, line := range []string{want, "LoadCredential=token:/etc/octopus-agent/token\n", "StateDirectory=octopus-agent\n", "DynamicUser=yes\n", "NoNewPrivileges=yes\n"} {
		if !strings.Contains(string(raw), line) {
			t.Errorf("the unit lacks %q:\n%s", line, raw)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", info, err)
	}
	if !slices.Equal(*told, []string{"daemon-reload", "enable octopus-agent", "restart octopus-agent"}) {
		t.Errorf("systemd was told %q", *told)
	}
	if !strings.Contains(out.String(), "journalctl -u octopus-agent") {
		t.Errorf("it says %q", out.String())
	}
	verify(t, path)

	*told = nil
	if err := s.uninstall("octopus-agent", io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil || !slices.Equal(*told, []string{"disable --now octopus-agent", "daemon-reload"}) {
		t.Errorf("after removal: %v, systemd was told %q", err, *told)
	}
	if err := s.uninstall("octopus-agent", io.Discard); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Errorf("a second time: %v", err)
	}
}

// verify has systemd read a unit, where it is installed.
func verify(t *testing.T, path string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("systemd-analyze is not installed: the unit is not verified")
		return
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*systemd, *Config)
		code  octopus.Code
		says  string
	}{
		"no systemd":   {func(s *systemd, _ *Config) { s.running = "/nowhere" }, octopus.CodeUnavailable, "agent --server https://octopus.example.com"},
		"not root":     {func(s *systemd, _ *Config) { s.root = false }, octopus.CodeDenied, "sudo"},
		"other folder": {func(_ *systemd, c *Config) { c.Data = "/srv/agent" }, octopus.CodeInvalid, "/var/lib"},
		"no folder":    {func(s *systemd, _ *Config) { s.units = "/nowhere" }, octopus.CodeDenied, "cannot be written"},
		"line break":   {func(_ *systemd, c *Config) { c.Policy = "a\nb" }, octopus.CodeInvalid, "line breaks"},
		"systemctl fails": {func(s *systemd, _ *Config) {
			s.ctl = func(...string) error { return octopus.Errorf(octopus.CodeUnavailable, "systemctl failed.") }
		}, octopus.CodeUnavailable, "systemctl failed"},
	} {
		s, _ := machine(t)
		config := full(t)
		c.spoil(&s, &config)
		err := s.install(config, io.Discard)
		if octopus.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"../x", "a b", "a.service;reboot"} {
		if err := Install(Config{Name: name, Executable: "/x"}, io.Discard); octopus.CodeOf(err) != octopus.CodeInvalid {
			t.Errorf("a service %q: %v", name, err)
		}
		if err := Uninstall(name, io.Discard); octopus.CodeOf(err) != octopus.CodeInvalid {
			t.Errorf("a service %q: %v", name, err)
		}
	}
}

func TestRunIsPlain(t *testing.T) {
	t.Parallel()
	want := errors.New("ended")
	if err := Run(t.Context(), func(ctx context.Context) error { return want }); !errors.Is(err, want) {
		t.Error(err)
	}
}
