package e2e_test

import (
	"os"
	"testing"

	"octopus/e2e/harness"
	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	storetest.Stop()
	os.Exit(code)
}
