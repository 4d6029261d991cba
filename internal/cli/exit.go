package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// The exit codes. They are kept: people script against them.
const (
	ExitOK          = 0   // it succeeded
	ExitFailed      = 1   // it ended otherwise
	ExitUsage       = 2   // the command line, or what it asked for, is wrong
	ExitDenied      = 3   // not allowed, or not found
	ExitUnreachable = 4   // no server answers
	ExitRunning     = 5   // still running when the wait ended
	ExitInterrupted = 130 // Ctrl-C
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError carries an exit code. With a nil error nothing is printed: all was said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// exitCode translates an error into the code that the program ends with.
func exitCode(err error) int {
	var usage usageError
	var exit exitError
	var refused *sdk.Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		return ExitUsage
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &refused):
		return exitOfRefusal(refused)
	case unreachable(err) != nil:
		return ExitUnreachable
	}
	return exitOfCode(octopus.CodeOf(err))
}

// exitOfRefusal maps a server's answer. One without a code came from something in between.
func exitOfRefusal(e *sdk.Error) int {
	switch {
	case e.Code != "":
		return exitOfCode(octopus.Code(e.Code))
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden, e.Status == http.StatusNotFound:
		return ExitDenied
	}
	return ExitUnreachable
}

// exitOfCode maps what the server, or a package of ours, said.
func exitOfCode(code octopus.Code) int {
	switch code {
	case octopus.CodeMalformed, octopus.CodeInvalid:
		return ExitUsage
	case octopus.CodeUnauthenticated, octopus.CodeDenied, octopus.CodeNotFound:
		return ExitDenied
	case octopus.CodeUnavailable:
		return ExitUnreachable
	}
	return ExitFailed
}

// complain writes one sentence to standard error, the fields at fault, and a hint where the command line is wrong.
func (a *app) complain(cmd *cobra.Command, err error) {
	var exit exitError
	if errors.As(err, &exit) && exit.err == nil {
		return
	}
	if errors.Is(err, context.Canceled) && !errors.As(err, &exit) {
		return
	}
	sentence, fields := wording(err)
	sentence = inFlags(cmd, sentence)
	fmt.Fprintf(a.Err, "octopus: %s\n", harmless(sentence))
	for _, f := range fields {
		if len(fields) > 1 && f.Message != sentence { // the sentence about one field says it all
			fmt.Fprintf(a.Err, "  %s: %s\n", f.Field, harmless(f.Message))
		}
	}
	var usage usageError
	var refused *sdk.Error
	switch {
	case errors.As(err, &usage) && cmd != nil:
		fmt.Fprintf(a.Err, "Try: %s --help\n", cmd.CommandPath())
	case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && (cmd == nil || cmd.Name() != "login"):
		fmt.Fprintln(a.Err, "Try: octopus login URL, which keeps a token; or give one with --api-token or OCTOPUS_API_TOKEN")
	case refused != nil && refused.Code == string(octopus.CodeNotFound) && cmd != nil:
		if list := listOfMissing(cmd.Root(), sentence); list != "" {
			fmt.Fprintf(a.Err, "Try: %s\n", list)
		}
	}
}

// listOfMissing is the command that lists such things where the server says no more than that there is none: "There is no task x."
func listOfMissing(root *cobra.Command, sentence string) string {
	rest, found := strings.CutPrefix(sentence, "There is no ")
	if !found || strings.Contains(sentence, "octopus ") || strings.Contains(sentence, "did you mean") {
		return ""
	}
	thing, _, _ := strings.Cut(rest, " ")
	list, left, err := root.Find([]string{thing + "s", "list"})
	if err != nil || len(left) > 0 || list.Name() != "list" {
		return ""
	}
	return list.CommandPath()
}

// wording finds the sentence of an error, and what it says field by field.
func wording(err error) (sentence string, fields []octopus.FieldError) {
	var refused *sdk.Error
	var known *octopus.Error
	switch {
	case errors.As(err, &refused):
		for _, f := range refused.Fields {
			fields = append(fields, octopus.FieldError{Field: f.Field, Message: f.Message})
		}
		return refused.Message, fields
	case errors.As(err, &known):
		return known.Message, known.Fields
	}
	if sentence := unreachable(err); sentence != nil {
		err = sentence
	}
	return strings.TrimSpace(err.Error()), nil
}
