package hub_test

import (
	"testing"

	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
