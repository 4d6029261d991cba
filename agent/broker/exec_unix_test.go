//go:build !windows

package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"octopus/agent/policy"
	"octopus/sdk/spec"
)

// commands are what the owner of the agent in these tests allows.
func commands(file string) map[string]policy.Command {
	sh := func(line string, patterns ...string) policy.Command {
		c := policy.Command{Argv: []string{"/bin/sh", "-c", line, "sh"}, Timeout: time.Minute, Output: 1000, Env: []string{"FILE=" + file}}
		for _, p := range patterns {
			c.Args = append(c.Args, regexp.MustCompile(`\A(?:`+p+`)\z`))
		}
		return c
	}
	slow := sh("echo begun; sleep 1000")
	slow.Timeout = 500 * time.Millisecond
	return map[string]policy.Command{
		"say":    sh(`printf '%s.' "$@"; cat >&2; exit 4`, ".*"),
		"one":    sh("echo fine", "[a-z]+"),
		"binary": sh(`printf '\377\376'`),
		"slow":   slow,
		"hang":   sh(`echo $$ > "$FILE.new"; mv "$FILE.new" "$FILE"; sleep 1000`),
		"none":   {Argv: []string{"/no/such/program"}, Timeout: time.Minute, Output: 1},
	}
}

func execBroker(t *testing.T, file string, granted ...string) *Broker {
	t.Helper()
	c := Config{Policy: policy.Open(nil, commands(file))}
	for _, name := range granted {
		c.Grant.Exec = append(c.Grant.Exec, spec.Exec{Name: name})
	}
	return newBroker(t, c)
}

func TestExec(t *testing.T) {
	t.Parallel()
	b := execBroker(t, "", "*")
	r, code, message := call(t, b, "exec.run", object{"name": "say", "args": []string{"a b", "$HOME", "; ls", "*", ""}, "stdin": "in"})
	if code != "" || r["exit_code"] != 4.0 || r["stdout"] != "a b.$HOME.; ls.*.." || r["stderr"] != "in" {
		t.Errorf("%v %s %s", r, code, message)
	}
	if r, _, _ = call(t, b, "exec.run", object{"name": "binary"}); r["stdout_base64"] != "//4=" {
		t.Errorf("%v", r)
	}
	r, code, message = call(t, b, "exec.run", object{"name": "slow"})
	if code != "timeout" || r["exit_code"] != -1.0 || r["signal"] != "killed" || !strings.Contains(message, "killed after 500ms") {
		t.Errorf("%v %s %s", r, code, message)
	}
	if _, code, message = call(t, b, "exec.run", object{"name": "none"}); code != "not_started" || !strings.Contains(message, "no such file") {
		t.Errorf("%s %s", code, message)
	}
	r, code, _ = call(t, b, "exec.run", object{"name": "say", "args": []string{strings.Repeat("é", 700)}})
	if code != "" || r["stdout_truncated"] != true || r["stdout"] != strings.Repeat("é", 500) {
		t.Errorf("%s %v", code, r)
	}
}

func TestExecDenied(t *testing.T) {
	t.Parallel()
	some := execBroker(t, "", "one", "reboot")
	for _, c := range []struct {
		b        *Broker
		req      object
		code, is string
	}{
		{some, object{"name": "say"}, "denied", "not granted to http-check"},
		{some, object{"name": "reboot"}, "denied", "must name it under capabilities.exec"},
		{some, object{"name": "reboot"}, "denied", "It names binary, hang, none, one, say, slow."},
		{some, object{"name": "one", "args": []string{"x", "UP"}}, "denied", `the argument "UP"`},
		{some, object{"name": "one", "args": []string{"x\ny"}}, "denied", "argument"},
		{some, object{"name": "one", "args": []string{""}}, "denied", "argument"},
		{some, object{"name": "one", "args": []string{"a\x00"}}, "invalid_request", "NUL"},
		{some, object{"name": ""}, "invalid_request", "name"},
		{some, object{"name": "one", "args": make([]string, maxArgs+1)}, "too_large", "arguments"},
		{some, object{"name": "one", "stdin": "x", "stdin_base64": "eA=="}, "invalid_request", "stdin"},
		{some, object{"name": "one", "stdin": strings.Repeat("x", maxStdin+1)}, "too_large", "Standard input"},
		{some, object{"name": "one", "timeout_seconds": -1}, "invalid_request", "timeout"},
		{newBroker(t, Config{Grant: spec.Capabilities{Exec: []spec.Exec{{Name: "one"}}}}), object{"name": "one"}, "denied", "--policy FILE). It names none."},
	} {
		if _, code, message := call(t, c.b, "exec.run", c.req); code != c.code || !strings.Contains(message, c.is) {
			t.Errorf("%.60v: %s %s", c.req, code, message)
		}
	}
}

// When the execution ends, so does its command.
func TestExecEndsWithTheExecution(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	b := execBroker(t, file, "*")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	pid := 0
	go func() {
		defer close(done)
		defer cancel()
		for end := time.Now().Add(time.Minute); pid == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			raw, _ := os.ReadFile(file)
			pid, _ = strconv.Atoi(strings.TrimSpace(string(raw)))
		}
	}()
	out, err := b.Call(ctx, "exec.run", []byte(`{"name":"hang"}`))
	<-done
	if err != nil || !strings.Contains(string(out), `"cancelled"`) || pid == 0 {
		t.Fatalf("%s %v, pid %d", out, err, pid)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d goes on: %v", pid, err)
	}
}

func scriptBroker(t *testing.T, change func(*Config)) (*Broker, string) {
	t.Helper()
	dir := folder(t, nil)
	c := Config{Grant: spec.Capabilities{Script: &spec.Script{Interpreters: []string{"sh"}}}, Scripts: &Scripts{Dir: dir}}
	if change != nil {
		change(&c)
	}
	return newBroker(t, c), dir
}

func TestScript(t *testing.T) {
	t.Parallel()
	b, dir := scriptBroker(t, nil)
	r, code, message := call(t, b, "script.run", object{
		"interpreter": "sh", "text": "read line; printf '%s|' \"$line\" \"$NAME\" \"$@\" \"$HOME\" \"$PWD\"; exit 5",
		"args": []string{"a b"}, "env": object{"NAME": "ada"}, "stdin": "in\n", "timeout_seconds": 60,
	})
	parts := strings.Split(r["stdout"].(string), "|")
	if code != "" || r["exit_code"] != 5.0 || len(parts) != 6 || parts[0] != "in" || parts[1] != "ada" || parts[2] != "a b" ||
		!strings.HasPrefix(parts[3], dir) || parts[4] != parts[3] {
		t.Errorf("%v %s %s", r, code, message)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the script's folder stays: %v %v", left, err)
	}
}

func TestScriptDenied(t *testing.T) {
	t.Parallel()
	run := object{"interpreter": "sh", "text": "echo canary"}
	for name, c := range map[string]struct {
		change   func(*Config)
		req      object
		code, is string
	}{
		"not granted":     {func(c *Config) { c.Grant = spec.Capabilities{} }, run, "denied", "not granted to http-check"},
		"not started to":  {func(c *Config) { c.Scripts = nil }, run, "denied", "--allow-scripts"},
		"owner":           {func(c *Config) { c.Policy = policy.Open(nil, nil); c.Policy.Capabilities.Script = nil }, run, "denied", "The owner of this agent"},
		"another one":     {nil, object{"interpreter": "python3", "text": "x"}, "denied", "python3"},
		"a program":       {nil, object{"interpreter": "/bin/sh", "text": "x"}, "invalid_request", "interpreter"},
		"no text":         {nil, object{"interpreter": "sh"}, "invalid_request", "text"},
		"a bad variable":  {nil, object{"interpreter": "sh", "text": "x", "env": object{"A=B": "x"}}, "invalid_request", "variable"},
		"a NUL":           {nil, object{"interpreter": "sh", "text": "x", "env": object{"A": "\x00"}}, "invalid_request", "variable"},
		"a negative time": {nil, object{"interpreter": "sh", "text": "x", "timeout_seconds": -1}, "invalid_request", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := scriptBroker(t, c.change)
			if r, code, message := call(t, b, "script.run", c.req); code != c.code || !strings.Contains(message, c.is) {
				t.Errorf("%v %s %s", r, code, message)
			}
		})
	}
}

// A dry run starts nothing.
func TestProgramsInADryRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	b := execBroker(t, file, "*")
	b.config.DryRun = true
	if r, code, _ := call(t, b, "exec.run", object{"name": "hang"}); code != "" || r["exit_code"] != 0.0 {
		t.Errorf("%v %s", r, code)
	}
	s, _ := scriptBroker(t, func(c *Config) { c.DryRun = true })
	if r, code, _ := call(t, s, "script.run", object{"interpreter": "sh", "text": ": > " + file}); code != "" || r["exit_code"] != 0.0 {
		t.Errorf("%v %s", r, code)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was started")
	}
}
