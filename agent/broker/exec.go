package broker

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"octopus/agent/policy"
	"octopus/agent/process"
	"octopus/sdk/spec"
)

// Caps of exec.run and script.run.
const (
	maxArgs     = 256
	maxArgBytes = 64 << 10 // of all arguments
	maxStdin    = 4 << 20
)

type execRequest struct {
	Name           string            `json:"name"`
	Interpreter    string            `json:"interpreter"` // script.run
	Text           string            `json:"text"`        // script.run
	Args           []string          `json:"args"`
	Env            map[string]string `json:"env"` // script.run
	Stdin          string            `json:"stdin"`
	StdinBase64    string            `json:"stdin_base64"`
	TimeoutSeconds float64           `json:"timeout_seconds"`
}

type execReply struct {
	ExitCode        int     `json:"exit_code"` // -1 where it was killed
	Signal          string  `json:"signal,omitempty"`
	Stdout          string  `json:"stdout,omitempty"`
	StdoutBase64    string  `json:"stdout_base64,omitempty"`
	StdoutTruncated bool    `json:"stdout_truncated,omitempty"`
	Stderr          string  `json:"stderr,omitempty"`
	StderrBase64    string  `json:"stderr_base64,omitempty"`
	StderrTruncated bool    `json:"stderr_truncated,omitempty"`
	DurationMS      float64 `json:"duration_ms"`
}

func (r execRequest) input() ([]byte, *Error) {
	raw := []byte(r.Stdin)
	if r.StdinBase64 != "" {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(r.StdinBase64); err != nil || r.Stdin != "" {
			return nil, invalid("stdin_base64", "it must be standard base64, and there must not be stdin beside it.")
		}
	}
	if len(raw) > maxStdin {
		return nil, errorf("too_large", "Standard input has %d bytes; at most %d are given to a command.", len(raw), maxStdin)
	}
	return raw, nil
}

func (r execRequest) checkArgs() *Error {
	size := 0
	for _, arg := range r.Args {
		if size += len(arg); strings.ContainsRune(arg, 0) {
			return invalid("args", "there is a NUL in them.")
		}
	}
	if len(r.Args) > maxArgs || size > maxArgBytes {
		return errorf("too_large", "A command takes at most %d arguments with %d bytes in all.", maxArgs, maxArgBytes)
	}
	return nil
}

// exec runs a command that the owner of this agent named. Nothing of what the guest says is read by a shell.
func (b *Broker) exec(ctx context.Context, req []byte) (any, *Error) {
	var r execRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	if failure := checkName("name", r.Name); failure != nil {
		return nil, failure
	}
	command, failure := b.command(r.Name)
	if failure != nil {
		return nil, failure
	}
	if failure := r.checkArgs(); failure != nil {
		return nil, failure
	}
	if arg, refused := command.Refused(r.Args); refused {
		return nil, errorf("denied", "The owner of this agent does not allow the argument %q for the command %s. The policy file says which, under capabilities.exec.%s.args.", arg, r.Name, r.Name)
	}
	timeout, failure := within(r.TimeoutSeconds, command.Timeout, command.Timeout)
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
	return b.process(ctx, "The command "+r.Name, process.Spec{
		Argv: append(slices.Clone(command.Argv), r.Args...), Dir: command.Dir, Env: command.Env,
		Stdin: stdin, Timeout: timeout, Output: command.Output,
	})
}

// command finds a command that grant and policy allow.
func (b *Broker) command(name string) (policy.Command, *Error) {
	if !slices.ContainsFunc(b.config.Grant.Exec, func(e spec.Exec) bool { return e.Name == name || e.Name == "*" }) {
		return policy.Command{}, b.notGranted("the command " + name)
	}
	command, ok := b.config.Policy.Command(name)
	if ok {
		return command, nil
	}
	known := "It names none."
	if names := b.config.Policy.Commands(); len(names) > 0 {
		known = "It names " + strings.Join(names, ", ") + "."
	}
	return policy.Command{}, errorf("denied", "The owner of this agent does not allow the command %s. A policy file must name it under capabilities.exec, such as %s: [/path/of/program] (octopus agent --policy FILE). %s", name, name, known)
}

// process runs a program and answers what came of it. What it printed until it was killed is in the answer too.
func (b *Broker) process(ctx context.Context, what string, s process.Spec) (any, *Error) {
	s.Ask = b.config.Cancelled
	res, err := process.Run(ctx, s)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errorf("cancelled", "%s was killed, because the execution ended.", what)
		}
		return nil, errorf("not_started", "%s could not be started: %s.", what, plain(err))
	}
	reply := execReply{
		ExitCode: res.ExitCode, Signal: res.Signal, DurationMS: millis(res.Duration),
		StdoutTruncated: res.Stdout.Truncated, StderrTruncated: res.Stderr.Truncated,
	}
	reply.Stdout, reply.StdoutBase64 = textOrBase64(res.Stdout)
	reply.Stderr, reply.StderrBase64 = textOrBase64(res.Stderr)
	if res.TimedOut {
		return reply, errorf("timeout", "%s was killed after %s.", what, s.Timeout)
	}
	return reply, nil
}

// textOrBase64 is text where the output is, but for a character that was cut.
func textOrBase64(o process.Output) (text, encoded string) {
	raw := o.Bytes
	if o.Truncated {
		raw = wholeRunes(raw)
	}
	if utf8.Valid(raw) {
		return string(raw), ""
	}
	return "", base64.StdEncoding.EncodeToString(raw)
}
