package e2e_test

import (
	"os"
	"testing"

	"octopus/e2e/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}
