package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/store"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
)

// restart is a server that comes up with other built-in plugins.
func restart(t *testing.T, s *store.Store, grant bool, plugins ...builtin.Plugin) *catalog.Catalog {
	t.Helper()
	c := catalog.New(catalog.Config{Store: s, Cache: cache.New(nil, nil), Builtins: func() ([]builtin.Plugin, error) { return plugins, nil }})
	if err := c.SyncBuiltins(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	return c
}

func latest(t *testing.T, c *catalog.Catalog, name string) octopus.PluginVersion {
	t.Helper()
	v, err := c.Resolve(t.Context(), name, "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSyncBuiltins(t *testing.T) {
	t.Parallel()
	first := pack(t, "web", "1.0.0", httpAnywhere, "first")
	_, s := open(t)
	c := restart(t, s, true, shipped(t, "web", first))
	v := latest(t, c, "web")
	if v.Version != "1.0.0" || v.Digest != wasmplugins.Digest(first) || v.CreatedBy != catalog.System || v.Grant == nil || v.Grant.GrantedBy != catalog.System {
		t.Errorf("got %+v", v)
	}
	if missing := c.MissingGrants(t.Context(), v); len(missing) != 0 {
		t.Errorf("missing %q", missing)
	}

	before := s.Statements()
	c = restart(t, s, true, shipped(t, "web", first))
	if n := s.Statements() - before; n > 2 {
		t.Errorf("a warm start took %d statements", n)
	}

	// The same version with other bytes gets a name of its own, always the same.
	second := pack(t, "web", "1.0.0", httpAnywhere, "second")
	for range 2 {
		c = restart(t, s, true, shipped(t, "web", second))
	}
	v = latest(t, c, "web")
	if want := "1.0.0+" + strings.TrimPrefix(wasmplugins.Digest(second), "sha256:")[:8]; v.Version != want || v.Digest != wasmplugins.Digest(second) {
		t.Errorf("got %s, want %s", v.Version, want)
	}

	// A step back to the first sources is a step back to the first module.
	c = restart(t, s, true, shipped(t, "web", first))
	if v := latest(t, c, "web"); v.Version != "1.0.0" || v.Status != octopus.VersionPublished {
		t.Errorf("after a step back: %s %s", v.Version, v.Status)
	}
	if err := c.SetStatus(t.Context(), "web", "1.0.0", octopus.VersionDeprecated, "ada"); err != nil {
		t.Fatal(err)
	}
	c = restart(t, s, true, shipped(t, "web", first))
	if v, err := c.Resolve(t.Context(), "web", "1.0.0"); err != nil || v.Status != octopus.VersionDeprecated {
		t.Errorf("a start undid what an administrator decided: %s, %v", v.Status, err)
	}

	p, err := s.Plugin(t.Context(), "web")
	if err != nil || len(p.Versions) != 2 || p.Source != octopus.SourceBuiltin {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	web := shipped(t, "web", pack(t, "web", "1.0.0", httpAnywhere, ""))
	c := restart(t, s, true, web)
	if err := c.Revoke(t.Context(), web.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	c = restart(t, s, true, web)
	if missing := c.MissingGrants(t.Context(), latest(t, c, "web")); len(missing) == 0 {
		t.Error("a start granted again what an administrator took away")
	}
}

func TestGrantsAreInherited(t *testing.T) {
	t.Parallel()
	const more = `{"http":{"hosts":["*"],"addresses":["public"],"methods":["GET"]},"kv":{}}`
	_, s := open(t)
	c := restart(t, s, false, shipped(t, "web", pack(t, "web", "1.0.0", httpAnywhere, "")))
	v := latest(t, c, "web")
	if v.Grant != nil {
		t.Errorf("granted without being asked: %+v", v.Grant)
	}
	if err := c.GrantAll(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	c = restart(t, s, false, shipped(t, "web", pack(t, "web", "1.1.0", httpAnywhere, "")))
	if v := latest(t, c, "web"); v.Version != "1.1.0" || v.Grant == nil {
		t.Errorf("asks for the same: %+v", v)
	}
	c = restart(t, s, false, shipped(t, "web", pack(t, "web", "1.2.0", more, "")))
	v, err := c.Resolve(t.Context(), "web", "1.2.0")
	if err != nil || v.Grant != nil {
		t.Errorf("asks for more: %+v, %v", v, err)
	}
	if v := latest(t, c, "web"); v.Version != "1.1.0" {
		t.Errorf("%s runs, but it lacks its grant", v.Version)
	}
}

// Plugins of this binary come through; two, because the race detector makes
// the check of a Go module slow.
func TestRealBuiltins(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	c := catalog.New(catalog.Config{Store: s, Cache: cache.New(nil, nil), Builtins: func() ([]builtin.Plugin, error) {
		all, err := builtin.All()
		return slices.DeleteFunc(all, func(p builtin.Plugin) bool { return p.Name != "noop" && p.Name != "http-check" }), err
	}})
	if err := c.SyncBuiltins(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	v := latest(t, c, "noop")
	if got, err := c.Check(t.Context(), v, "run", nil); err != nil || string(got) != `{}` {
		t.Errorf("got %s, %v", got, err)
	}
	all, err := s.Plugins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if missing := c.MissingGrants(t.Context(), p.Versions[0]); len(missing) != 0 {
			t.Errorf("%s: %q", p.Name, missing)
		}
	}
}
