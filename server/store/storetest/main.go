package storetest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests, stops the PostgreSQL that they started, says in one line when they had none, and
// checks for leaked goroutines. Call it from TestMain.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	Stop()
	if why := server.missing(); why != "" {
		fmt.Fprintln(os.Stderr, "PostgreSQL tests skipped: "+why)
	}
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Stop stops the PostgreSQL that this process started, for a TestMain that does not use [Main].
func Stop() { server.stop() }
