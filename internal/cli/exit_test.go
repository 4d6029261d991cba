package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// TestExitCodes: people script against them.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nothing":           {nil, 0},
		"usage":             {usagef("x"), 2},
		"wrapped usage":     {fmt.Errorf("y: %w", usagef("x")), 2},
		"anything else":     {errors.New("x"), 1},
		"interrupted":       {fmt.Errorf("x: %w", context.Canceled), 130},
		"an own code":       {exitError{code: 5}, 5},
		"invalid":           {&sdk.Error{Status: 422, Code: "invalid"}, 2},
		"denied":            {&sdk.Error{Status: 403, Code: "denied"}, 3},
		"unauthenticated":   {&sdk.Error{Status: 401, Code: "unauthenticated"}, 3},
		"not found":         {&sdk.Error{Status: 404, Code: "not_found"}, 3},
		"conflict":          {&sdk.Error{Status: 409, Code: "conflict"}, 1},
		"unavailable":       {&sdk.Error{Status: 503, Code: "unavailable"}, 4},
		"a proxy's answer":  {&sdk.Error{Status: http.StatusBadGateway}, 4},
		"a proxy's refusal": {&sdk.Error{Status: http.StatusForbidden}, 3},
		"no connection":     {&url.Error{Op: "Get", URL: "http://127.0.0.1:1/api", Err: errors.New("refused")}, 4},
		"not found here":    {octopus.Errorf(octopus.CodeNotFound, "x"), 3},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

// TestComplain prints one sentence, and the fields at fault where they say more.
func TestComplain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"one field that is the sentence": {octopus.InvalidField("/params/url", "The address is missing."), "octopus: The address is missing.\n"},
		"fields": {&sdk.Error{Message: "Two things are wrong.", Fields: []sdk.FieldProblem{{Field: "/a", Message: "No."}, {Field: "/b", Message: "Neither."}}},
			"octopus: Two things are wrong.\n  /a: No.\n  /b: Neither.\n"},
		"all was said": {exitError{code: 1}, ""},
		"interrupted":  {context.Canceled, ""},
	} {
		var out bytes.Buffer
		(&app{Streams: Streams{Err: &out}}).complain(nil, c.err)
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
	}
}
