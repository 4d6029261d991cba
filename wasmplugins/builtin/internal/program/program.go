// Package program is what the plugins that run programs of the agent's machine have in common: what a program is
// asked, and what is said of how it ended.
package program

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"octopus/sdk/plugin"
)

// Output is what the host answers to exec.run and script.run.
type Output struct {
	ExitCode        int     `json:"exit_code"`
	Signal          string  `json:"signal,omitempty"`
	Stdout          string  `json:"stdout,omitempty"`
	StdoutBase64    string  `json:"stdout_base64,omitempty"`
	StdoutTruncated bool    `json:"stdout_truncated,omitempty"`
	Stderr          string  `json:"stderr,omitempty"`
	StderrBase64    string  `json:"stderr_base64,omitempty"`
	StderrTruncated bool    `json:"stderr_truncated,omitempty"`
	DurationMS      float64 `json:"duration_ms"`
}

// maxKept is how much of each output stays in the result, in bytes; more is in the log.
const maxKept = 64 << 10

// Run asks the host to run what, logs what it printed, and says how it ended. okCodes are the exit codes of success;
// none is 0 alone.
func Run(ctx *plugin.Context, op, what string, request any, okCodes []int) plugin.Response {
	var out Output
	err := ctx.Call(op, request, &out)
	for _, text := range []string{out.Stdout, out.Stderr} {
		logLines(ctx, text)
	}
	r := out
	r.Stdout, r.StdoutTruncated = head(out.Stdout, out.StdoutTruncated)
	r.Stderr, r.StderrTruncated = head(out.Stderr, out.StderrTruncated)
	r.StdoutBase64, _ = head(out.StdoutBase64, false)
	r.StderrBase64, _ = head(out.StderrBase64, false)
	took := time.Duration(out.DurationMS * float64(time.Millisecond)).Round(time.Millisecond)
	switch {
	case err != nil && plugin.Code(err) == "timeout":
		return plugin.FailWith(err, "%s", err).WithResult(r)
	case err != nil:
		return plugin.FailWith(err, "%s", err)
	case ctx.Execution.DryRun:
		return plugin.OK("A dry run: %s was not run.", what)
	case out.Signal != "":
		return plugin.Fail(500, "%s was ended by a signal after %s: %s.", capital(what), took, out.Signal).WithCode("signal").WithResult(r)
	case out.ExitCode != 0 && !slices.Contains(okCodes, out.ExitCode), len(okCodes) > 0 && !slices.Contains(okCodes, out.ExitCode):
		return plugin.Fail(500, "%s ended with exit code %d after %s%s.", capital(what), out.ExitCode, took, lastLine(out)).
			WithCode("exit_code").WithResult(r)
	}
	return plugin.OK("%s ended with exit code %d after %s.", capital(what), out.ExitCode, took).
		WithResult(r).WithMetric("duration_ms", out.DurationMS)
}

func logLines(ctx *plugin.Context, text string) {
	if text == "" {
		return
	}
	for line := range strings.Lines(text) {
		ctx.Log("%s", strings.TrimRight(line, "\r\n"))
	}
}

// head cuts between characters.
func head(text string, truncated bool) (string, bool) {
	if len(text) <= maxKept {
		return text, truncated
	}
	cut := maxKept
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut], true
}

// lastLine is what a failed program said last, which is mostly why it failed.
func lastLine(out Output) string {
	for _, text := range []string{out.Stderr, out.Stdout} {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if line := strings.TrimSpace(lines[len(lines)-1]); line != "" {
			short, cut := line, ""
			if len([]rune(line)) > 200 {
				short, cut = string([]rune(line)[:200]), "…"
			}
			return fmt.Sprintf(": %s%s", strings.TrimRight(short, "."), cut)
		}
	}
	return ""
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
