package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"

	"octopus/internal/octopus"
)

func TestMismatch(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	v := upload(t, c, pack(t, "hello", "1.0.0", httpAnywhere, ""))
	good := json.RawMessage(`{"url":"x"}`)
	is := func(w octopus.Work, want string) {
		t.Helper()
		if got := c.Mismatch(t.Context(), w); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w := octopus.Work{Plugin: "hello", Action: "run", Params: good}
	is(w, "hello needs http to any host. It was not granted to hello 1.0.0.")
	if err := c.GrantAll(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	is(w, "")
	is(octopus.Work{Plugin: "hello", Action: "walk", Params: good}, `With hello 1.0.0: hello has no action "walk"`)
	is(octopus.Work{Plugin: "hello", Action: "run"}, "With hello 1.0.0: The parameter url is required")
	is(octopus.Work{Plugin: "hello", Version: "^2", Action: "run", Params: good}, "hello has no version ^2")
	if err := c.SetStatus(t.Context(), "hello", "1.0.0", octopus.VersionRevoked, "ada"); err != nil {
		t.Fatal(err)
	}
	is(octopus.Work{Plugin: "hello", Version: "1.0.0", Action: "run", Params: good}, "hello 1.0.0 was revoked")
}
