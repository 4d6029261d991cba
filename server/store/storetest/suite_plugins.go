package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func version(name, number, digest string) octopus.PluginVersion {
	return octopus.PluginVersion{Plugin: name, Version: number, Digest: digest, Size: 4, Author: "ada", License: "Apache-2.0",
		Manifest: json.RawMessage(`{"name":"` + name + `"}`), CreatedBy: "ada"}
}

func testPlugins(t *testing.T, s *store.Store) {
	for i, number := range []string{"1.9.0", "1.10.0", "1.2.0"} {
		check(t, s.PublishVersion(t.Context(), version("noop", number, fmt.Sprint("sha256:", i)), "builtin", "Does "+number, []byte("wasm")))
	}
	check(t, s.PublishVersion(t.Context(), version("echo", "1.0.0", "sha256:e"), "uploaded", "Says it", []byte("echo")))
	check(t, s.PublishVersion(t.Context(), version("noop", "1.9.0", "sha256:0"), "builtin", "Again", nil))
	wantCode(t, s.PublishVersion(t.Context(), version("noop", "1.9.0", "sha256:x"), "builtin", "", nil), octopus.CodeConflict)
	wantCode(t, s.PublishVersion(t.Context(), version("other", "1.0.0", "sha256:e"), "uploaded", "", nil), octopus.CodeConflict)

	p, err := s.Plugin(t.Context(), "noop")
	check(t, err)
	if len(p.Versions) != 3 || p.Versions[0].Version != "1.10.0" || p.Versions[2].Version != "1.2.0" || !p.Enabled || p.Source != "builtin" {
		t.Fatalf("plugin %+v", p)
	}
	plugins, err := s.Plugins(t.Context())
	check(t, err)
	if len(plugins) != 2 || plugins[0].Name != "echo" || len(plugins[1].Versions) != 1 || plugins[1].Versions[0].Version != "1.10.0" {
		t.Fatalf("plugins %+v", plugins)
	}
	module, err := s.Module(t.Context(), "sha256:1")
	check(t, err)
	equal(t, "module", string(module), "wasm")
	v, err := s.VersionByDigest(t.Context(), "sha256:1")
	check(t, err)
	equal(t, "by digest", v.Version, "1.10.0")
	equal(t, "manifest", string(v.Manifest), `{"name":"noop"}`)
	check(t, s.SetVersionStatus(t.Context(), "noop", "1.10.0", octopus.VersionRevoked, "ada"))
	check(t, s.SetPluginEnabled(t.Context(), "noop", false, "ada"))
	plugins, err = s.Plugins(t.Context())
	check(t, err)
	equal(t, "newest published", plugins[1].Versions[0].Version, "1.9.0")
	equal(t, "enabled", plugins[1].Enabled, false)
	step(t, s, one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") }), Accept, End(octopus.Succeeded))
	p, err = s.Plugin(t.Context(), "noop")
	check(t, err)
	if p.Runs != 1 || p.LastUsed.IsZero() {
		t.Fatalf("runs %d, last used %v", p.Runs, p.LastUsed)
	}
	for _, err := range []error{s.SetPluginEnabled(t.Context(), "none", true, "ada"), s.SetVersionStatus(t.Context(), "noop", "9.9.9", octopus.VersionRevoked, "ada")} {
		wantCode(t, err, octopus.CodeNotFound)
	}
	_, err = s.Plugin(t.Context(), "none")
	wantCode(t, err, octopus.CodeNotFound)
	_, err = s.Version(t.Context(), "noop", "9.9.9")
	wantCode(t, err, octopus.CodeNotFound)
	_, err = s.Module(t.Context(), "sha256:none")
	wantCode(t, err, octopus.CodeNotFound)
}

func testGrants(t *testing.T, s *store.Store) {
	check(t, s.PublishVersion(t.Context(), version("noop", "1.0.0", "sha256:0"), "builtin", "", nil))
	v, err := s.Version(t.Context(), "noop", "1.0.0")
	check(t, err)
	if v.Grant != nil {
		t.Fatalf("grant %+v", v.Grant)
	}
	check(t, s.PutGrant(t.Context(), octopus.Grant{Digest: "sha256:0", Capabilities: json.RawMessage(`{"http":{}}`), GrantedBy: "ada"}))
	check(t, s.PutGrant(t.Context(), octopus.Grant{Digest: "sha256:0", Capabilities: json.RawMessage(`{"net":{}}`), GrantedBy: "bob"}))
	v, err = s.VersionByDigest(t.Context(), "sha256:0")
	check(t, err)
	if v.Grant == nil || string(v.Grant.Capabilities) != `{"net":{}}` || v.Grant.GrantedBy != "bob" || v.Grant.Digest != "sha256:0" {
		t.Fatalf("grant %+v", v.Grant)
	}
	grants, err := s.Grants(t.Context())
	check(t, err)
	equal(t, "grants", len(grants), 1)
	check(t, s.DeleteGrant(t.Context(), "sha256:0"))
	wantCode(t, s.DeleteGrant(t.Context(), "sha256:0"), octopus.CodeNotFound)
}

func testValues(t *testing.T, s *store.Store) {
	ctx := t.Context()
	check(t, s.KVSet(ctx, "noop", "a/1", json.RawMessage(`{"x":1}`), 0, 100))
	check(t, s.KVSet(ctx, "noop", "a/1", json.RawMessage(`{"x":2}`), time.Hour, 100))
	check(t, s.KVSet(ctx, "noop", "a_2", json.RawMessage(`2`), 0, 100))
	check(t, s.KVSet(ctx, "other", "a/1", json.RawMessage(`3`), 0, 100))
	wantCode(t, s.KVSet(ctx, "noop", "b", json.RawMessage(`"`+string(make([]byte, 90))+`"`), 0, 100), octopus.CodeTooLarge)
	value, found, err := s.KVGet(ctx, "noop", "a/1")
	check(t, err)
	equal(t, "value", fmt.Sprint(found, string(value)), `true{"x":2}`)
	_, found, err = s.KVGet(ctx, "noop", "none")
	check(t, err)
	equal(t, "found", found, false)
	keys, more, err := s.KVList(ctx, "noop", "a", 1)
	check(t, err)
	equal(t, "keys", fmt.Sprint(keys, more), "[a/1] true")
	keys, more, err = s.KVList(ctx, "noop", "a_", 10)
	check(t, err)
	equal(t, "keys", fmt.Sprint(keys, more), "[a_2] false")
	found, err = s.KVDelete(ctx, "noop", "a/1")
	check(t, err)
	equal(t, "deleted", found, true)
	found, err = s.KVDelete(ctx, "noop", "a/1")
	check(t, err)
	equal(t, "deleted again", found, false)
}

func testCacheEntries(t *testing.T, s *store.Store) {
	ctx := t.Context()
	put := func(region, key, value string, expires time.Time) {
		check(t, s.CachePut(ctx, octopus.CacheEntry{Region: region, Key: key, Value: json.RawMessage(value), ExpiresAt: expires}))
	}
	put("broadcast", "a", "1", time.Time{})
	put("broadcast", "a", "2", s.Now().Add(time.Hour))
	put("broadcast", "b", "3", time.Time{})
	put("broadcast", "old", "4", s.Now().Add(-time.Second))
	put("plugin data", "a", "5", time.Time{})
	e, found, err := s.CacheGet(ctx, "broadcast", "a")
	check(t, err)
	if !found || string(e.Value) != "2" || e.UpdatedAt.IsZero() {
		t.Fatalf("entry %+v", e)
	}
	_, found, err = s.CacheGet(ctx, "broadcast", "old")
	check(t, err)
	equal(t, "expired", found, false)
	entries, err := s.CacheList(ctx, "broadcast", "", 0)
	check(t, err)
	equal(t, "entries", len(entries), 2)
	expired, err := s.PurgeExpired(ctx, s.Now())
	check(t, err)
	equal(t, "purged", expired.CacheEntries, 1)
	check(t, s.CacheDelete(ctx, "broadcast", "a"))
	check(t, s.CacheDelete(ctx, "plugin data", ""))
	entries, err = s.CacheList(ctx, "plugin data", "", 0)
	check(t, err)
	equal(t, "entries", len(entries), 0)
}
