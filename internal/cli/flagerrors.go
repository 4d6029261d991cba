package cli

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"octopus/internal/settings"
)

// flagError says in words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		name := unknown.GetSpecifiedName()
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if near := settings.Nearest(name, known); near != "" {
			return usagef("%s has no flag --%s; did you mean --%s?", cmd.CommandPath(), name, near)
		}
		return usagef("%s has no flag --%s.", cmd.CommandPath(), name)
	case errors.As(err, &missing):
		return usagef("--%s needs a value.", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return usagef("--%s is %q, but must %s.", invalid.GetFlag().Name, invalid.GetValue(), wantedBy(invalid))
	}
	return usageError{err}
}

// wantedBy says what a flag takes.
func wantedBy(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "int", "int64", "uint", "number":
		return "be a whole number"
	case "float64":
		return "be a number"
	case "bool":
		return "be true or false"
	case "duration":
		return "be a duration such as 90s, 15m or 24h"
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(e.Unwrap().Error(), "must "), ", not ")
	return cmp.Or(text, "be something else")
}

// apiField is how the server says which field of a request is wrong.
var apiField = regexp.MustCompile(`^/?(?:target/)?([a-z][a-z0-9_]*): (.+)$`)

// seconds ends a sentence about a field that is a number of seconds.
var seconds = regexp.MustCompile(` (\d+)\.$`)

// inFlags names the flag where the server names the field that the flag fills.
func inFlags(cmd *cobra.Command, sentence string) string {
	m := apiField.FindStringSubmatch(sentence)
	if m == nil || cmd == nil {
		return sentence
	}
	name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSuffix(m[1], "_seconds"), "max_"), "_", "-")
	for _, flag := range []string{strings.ReplaceAll(m[1], "_", "-"), name} {
		f := cmd.Flags().Lookup(flag)
		if f == nil {
			continue
		}
		if f.Value.Type() == "duration" {
			m[2] = seconds.ReplaceAllStringFunc(m[2], inHours)
		}
		return "--" + flag + " " + m[2]
	}
	return sentence
}

// inHours writes " 2592000." as the flag takes it, " 720h.".
func inHours(end string) string {
	n, err := strconv.Atoi(strings.Trim(end, " ."))
	switch {
	case err != nil || n == 0:
		return end
	case n%3600 != 0:
		return " " + strconv.Itoa(n) + "s."
	}
	return " " + strconv.Itoa(n/3600) + "h."
}
