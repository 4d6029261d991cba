package broker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"octopus/agent/process"
)

// Caps of script.run.
const (
	maxScript    = 1 << 20 // bytes of the text
	scriptOutput = 4 << 20 // of standard output and of standard error each
)

// Scripts lets an agent run scripts: its owner started it to.
type Scripts struct {
	// Dir is where each script gets a folder of its own, which is its working directory and is removed after it.
	Dir string
}

// interpreters that script.run knows: the ending of the file, and what goes before its name.
var interpreters = map[string]struct {
	ending string
	args   []string
}{
	"sh": {".sh", nil}, "bash": {".sh", nil}, "dash": {".sh", nil}, "zsh": {".sh", nil}, "ksh": {".sh", nil},
	"python3": {".py", nil}, "python": {".py", nil}, "perl": {".pl", nil}, "ruby": {".rb", nil}, "node": {".js", nil}, "php": {".php", nil},
	"pwsh": {".ps1", []string{"-NoProfile", "-NonInteractive", "-File"}}, "powershell": {".ps1", []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"}},
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// script runs a text with an interpreter of this machine.
func (b *Broker) script(ctx context.Context, req []byte) (any, *Error) {
	var r execRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	known, ok := interpreters[r.Interpreter]
	if !ok {
		return nil, invalid("interpreter", "it must be one of sh, bash, dash, zsh, ksh, python3, python, perl, ruby, node, php, pwsh and powershell.")
	}
	if failure := b.mayScript(r.Interpreter); failure != nil {
		return nil, failure
	}
	if r.Text == "" || len(r.Text) > maxScript {
		return nil, invalid("text", "it must have 1 to %d bytes.", maxScript)
	}
	env, failure := r.environment()
	if failure != nil {
		return nil, failure
	}
	if failure := r.checkArgs(); failure != nil {
		return nil, failure
	}
	timeout, failure := within(r.TimeoutSeconds, 0, 365*24*time.Hour)
	if failure != nil {
		return nil, failure
	}
	stdin, failure := r.input()
	if failure != nil {
		return nil, failure
	}
	if b.config.DryRun {
		return execReply{}, nil
	}
	program, err := exec.LookPath(r.Interpreter)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return nil, errorf("not_found", "This agent has no %s.", r.Interpreter)
	}
	dir, err := os.MkdirTemp(b.config.Scripts.Dir, "script-")
	if err != nil {
		return nil, fileError("the folder of scripts", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "script"+known.ending)
	if err := os.WriteFile(file, []byte(r.Text), 0o600); err != nil {
		return nil, fileError("the script's file", err)
	}
	return b.process(ctx, "The script", process.Spec{
		Argv: slices.Concat([]string{program}, known.args, []string{file}, r.Args), Dir: dir,
		Env: append([]string{"HOME=" + dir, "TMPDIR=" + dir}, env...), Stdin: stdin, Timeout: timeout, Output: scriptOutput,
	})
}

func (b *Broker) mayScript(interpreter string) *Error {
	s := b.config.Grant.Script
	switch {
	case s == nil || !slices.Contains(s.Interpreters, interpreter) && !slices.Contains(s.Interpreters, "*"):
		return b.notGranted("to run scripts with " + interpreter)
	case b.config.Scripts == nil:
		return errorf("denied", "%s", ScriptsOff)
	case !b.config.Policy.Interpreter(interpreter):
		return b.notAllowed("scripts of " + interpreter)
	}
	return nil
}

// ScriptsOff is why scripts do not run on an agent that was not started to run them.
const ScriptsOff = "This agent runs no scripts. Its owner allows them by starting it with --allow-scripts (agent.allow_scripts)."

func (r execRequest) environment() ([]string, *Error) {
	var out []string
	size := 0
	for name, value := range r.Env {
		if !variableName.MatchString(name) || strings.ContainsRune(value, 0) {
			return nil, invalid("env", "%q is not a variable that a script can be given.", name)
		}
		size += len(name) + len(value)
		out = append(out, name+"="+value)
	}
	if len(out) > maxArgs || size > maxArgBytes {
		return nil, errorf("too_large", "A script takes at most %d variables with %d bytes in all.", maxArgs, maxArgBytes)
	}
	slices.Sort(out)
	return out, nil
}
