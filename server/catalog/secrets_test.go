package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// TestBindings: a grant says which stored secret is meant, keeps it when it is given again, and what is not
// stored is missed.
func TestBindings(t *testing.T) {
	t.Parallel()
	c, s := open(t)
	v := upload(t, c, pack(t, "keeper", "1.0.0", `{"secrets":[{"name":"a"},{"name":"b","expose":"value"}]}`, ""))
	key, err := s.SecretsKey(t.Context(), "key_1")
	if err != nil {
		t.Fatal(err)
	}
	store := func(name string) {
		t.Helper()
		if _, err := s.PutSecret(t.Context(), name, octopus.Sealed{KeyID: key, Data: []byte("x")}, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	grant := func(bind map[string]string) error {
		t.Helper()
		now, err := s.VersionByDigest(t.Context(), v.Digest)
		if err != nil {
			t.Fatal(err)
		}
		bound, err := c.Bound(t.Context(), now)
		if err == nil {
			bound, err = c.Bind(t.Context(), bound, bind)
		}
		if err == nil {
			err = c.Grant(t.Context(), v.Digest, bound, "ada")
		}
		return err
	}
	missing := func() []string {
		t.Helper()
		now, err := s.VersionByDigest(t.Context(), v.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if lacks := c.MissingGrants(t.Context(), now); now.Grant != nil && len(lacks) > 0 {
			t.Errorf("not granted: %q", lacks)
		}
		return c.MissingSecrets(t.Context(), now, "run")
	}
	if m := missing(); len(m) != 0 {
		t.Errorf("nothing is granted yet: %q", m)
	}
	store("b")
	if err := grant(nil); err != nil {
		t.Fatal(err)
	}
	if m := missing(); len(m) != 1 || !strings.Contains(m[0], "octopus secrets set a.") {
		t.Errorf("%q", m)
	}
	for name, bad := range map[string]map[string]string{"unknown name": {"x": "b"}, "not stored": {"a": "door"}} {
		if err := grant(bad); octopus.CodeOf(err) != octopus.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	store("door")
	if err := grant(map[string]string{"a": "door"}); err != nil {
		t.Fatal(err)
	}
	if err := c.GrantAll(t.Context(), v.Digest, "bob"); err != nil { // given again
		t.Fatal(err)
	}
	if m := missing(); len(m) != 0 {
		t.Errorf("%q", m)
	}
	uses, err := c.SecretUses(t.Context())
	if err != nil || len(uses["door"]) != 1 || uses["door"][0].As != "a" || uses["b"][0].Expose != "value" {
		t.Errorf("%+v %v", uses, err)
	}
	if err := s.DeleteSecret(t.Context(), "door"); err != nil {
		t.Fatal(err)
	}
	if m := missing(); len(m) != 1 || !strings.Contains(m[0], "which its grant binds to door") {
		t.Errorf("%q", m)
	}
	if problems := (spec.Manifest{Capabilities: spec.Capabilities{Secrets: []spec.Secret{{Name: "a", Bind: "b"}, {Name: "a"}}}}).Validate(); !slices.ContainsFunc(problems, func(p spec.Problem) bool {
		return p.Path == "capabilities.secrets[0].bind"
	}) {
		t.Errorf("a manifest binds: %v", problems)
	}
}
