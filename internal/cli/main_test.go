package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"octopus/wasmplugins"
)

// TestMain lets the test binary be the runner of a sandbox.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// called is what a command left behind.
type called struct {
	code     int
	out, err string
}

// command runs one command in this process. Contexts live in a folder of the test; the working directory is left
// alone, so that tests run in parallel.
func command(t *testing.T, in string, args ...string) called {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(t.Context(), args, Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
	return called{code, out.String(), errs.String()}
}
