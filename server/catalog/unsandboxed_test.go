package catalog_test

import (
	"testing"

	"octopus/internal/octopus"
)

// What runs outside the sandbox is granted by a person, whatever the server was told to grant.
func TestUnsandboxedBuiltinsAreNotGranted(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	const asks, wider = `{"exec":[{"name":"*"}]}`, `{"exec":[{"name":"*"}],"script":{"interpreters":["sh"]}}`
	c := restart(t, s, true, shipped(t, "exec", pack(t, "exec", "1.0.0", asks, "first")))
	v := latest(t, c, "exec")
	if v.Grant != nil || len(c.MissingGrants(t.Context(), v)) != 1 {
		t.Fatalf("granted %+v", v.Grant)
	}
	if err := c.GrantAll(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	c = restart(t, s, true, shipped(t, "exec", pack(t, "exec", "1.0.1", asks, "second")))
	if v := latest(t, c, "exec"); v.Version != "1.0.1" || v.Grant == nil {
		t.Errorf("the next version does not inherit what a person granted: %+v", v)
	}
	c = restart(t, s, true, shipped(t, "exec", pack(t, "exec", "1.0.2", wider, "third")))
	v, err := c.Resolve(t.Context(), "exec", "1.0.2")
	if err != nil || v.Grant != nil || v.Status != octopus.VersionPublished {
		t.Errorf("what asks for more was granted by itself: %+v, %v", v.Grant, err)
	}
}
