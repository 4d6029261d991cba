package catalog_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/store"
	"octopus/server/store/storetest"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
)

// TestMain lets the test binary be the runner that tries submissions.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(nil))
	}
	storetest.Main(m)
}

// noop is the smallest real module; versions are made of it by packing other
// manifests.
func noop(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const httpAnywhere = `{"http":{"hosts":["*"],"addresses":["public"],"methods":["GET"]}}`

// pack makes a module; more is appended to its description, so that the digest
// differs.
func pack(t testing.TB, name, version, capabilities, more string) []byte {
	t.Helper()
	manifest := fmt.Sprintf(`{"schema":"octopus.plugin/v1","abi":1,"name":%q,"version":%q,"description":"Test %s","capabilities":%s,
		"actions":[{"name":"run","params":{"type":"object","required":["url"],"properties":{"url":{"type":"string"},"n":{"type":"integer","default":3}}}}]}`,
		name, version, more, capabilities)
	module, err := wasmplugins.Pack(noop(t), []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func upload(t testing.TB, c *catalog.Catalog, module []byte) octopus.PluginVersion {
	t.Helper()
	v, err := c.Upload(t.Context(), module, "ada")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func open(t testing.TB, plugins ...builtin.Plugin) (*catalog.Catalog, *store.Store) {
	t.Helper()
	s := storetest.Open(t)
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return catalog.New(catalog.Config{
		Store: s, Cache: cache.New(nil, nil),
		Builtins: func() ([]builtin.Plugin, error) { return plugins, nil },
		Now:      func() time.Time { clock = clock.Add(time.Second); return clock },
	}), s
}

// shipped makes a built-in plugin of a module.
func shipped(t testing.TB, name string, module []byte) builtin.Plugin {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Comment = wasmplugins.Digest(module) + " inputs"
	if _, err := z.Write(module); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := builtin.From(fstest.MapFS{"dist/" + name + ".wasm.gz": {Data: out.Bytes()}})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

func TestUpload(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	module := pack(t, "hello", "1.0.0", `{}`, "")
	v := upload(t, c, module)
	if v.Plugin != "hello" || v.Version != "1.0.0" || v.Digest != wasmplugins.Digest(module) || v.Status != octopus.VersionPublished || v.CreatedBy != "ada" {
		t.Errorf("got %+v", v)
	}
	if again := upload(t, c, module); again.Digest != v.Digest {
		t.Errorf("the same bytes again: %+v", again)
	}
	_, err := c.Upload(t.Context(), pack(t, "hello", "1.0.0", `{}`, "changed"), "ada")
	if octopus.CodeOf(err) != octopus.CodeConflict || !strings.Contains(err.Error(), "raise the version") {
		t.Errorf("other bytes: %v", err)
	}
	got, err := c.Module(t.Context(), v.Digest)
	if err != nil || !bytes.Equal(got, module) {
		t.Errorf("module: %d bytes, %v", len(got), err)
	}
	if m, err := c.Manifest(t.Context(), v.Digest); err != nil || m.Name != "hello" || len(m.Actions) != 1 {
		t.Errorf("manifest: %+v, %v", m, err)
	}
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	c, _ := open(t, shipped(t, "mine", pack(t, "mine", "1.0.0", `{}`, "")))
	if err := c.SyncBuiltins(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		module []byte
		code   octopus.Code
		want   string
	}{
		"not wasm":    {[]byte("hello"), octopus.CodeInvalid, ""},
		"no manifest": {noop(t), octopus.CodeInvalid, "octopus plugins pack"},
		"too large":   {make([]byte, 33<<20), octopus.CodeTooLarge, "at most 32MiB"},
		"built in":    {pack(t, "mine", "2.0.0", `{}`, ""), octopus.CodeConflict, "another name"},
		"broken":      {append(pack(t, "x1", "1.0.0", `{}`, ""), 1, 2, 3), octopus.CodeInvalid, ""},
	} {
		_, err := c.Upload(t.Context(), x.module, "ada")
		if octopus.CodeOf(err) != x.code || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	for _, version := range []string{"1.0.0", "1.2.0", "1.10.0", "2.0.0", "2.1.0-beta.1", "0.9.0"} {
		upload(t, c, pack(t, "hello", version, `{}`, version))
	}
	if err := c.SetStatus(t.Context(), "hello", "2.0.0", octopus.VersionDeprecated, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetStatus(t.Context(), "hello", "0.9.0", octopus.VersionRevoked, "ada"); err != nil {
		t.Fatal(err)
	}
	for want, version := range map[string]string{
		"": "1.10.0", "latest": "1.10.0", "^1": "1.10.0", "~1.2": "1.2.0", "1.2.0": "1.2.0", "^2": "2.0.0", ">=1.0 <1.5": "1.2.0",
		"2.0.0": "2.0.0", "2.1.0-beta.1": "2.1.0-beta.1",
	} {
		if v, err := c.Resolve(t.Context(), "hello", want); err != nil || v.Version != version {
			t.Errorf("%q: got %s, %v, want %s", want, v.Version, err, version)
		}
	}
	for want, x := range map[string]struct {
		code octopus.Code
		text string
	}{
		"0.9.0": {octopus.CodeConflict, "hello 0.9.0 was revoked"},
		"^3":    {octopus.CodeNotFound, "hello has no version ^3; there is: 2.1.0-beta.1, 2.0.0, 1.10.0, 1.2.0, 1.0.0."},
		"1.3.0": {octopus.CodeNotFound, "hello has no version 1.3.0"},
		"one":   {octopus.CodeInvalid, "must be a version such as"},
	} {
		if _, err := c.Resolve(t.Context(), "hello", want); octopus.CodeOf(err) != x.code || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := c.Resolve(t.Context(), "helo", ""); octopus.CodeOf(err) != octopus.CodeNotFound || err.Error() != `There is no plugin named "helo"; did you mean hello?` {
		t.Errorf("got %v", err)
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	v := upload(t, c, pack(t, "hello", "1.0.0", `{}`, ""))
	if _, err := c.Resolve(t.Context(), "hello", ""); err != nil {
		t.Fatal(err)
	}
	if err := c.SetEnabled(t.Context(), "hello", false, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve(t.Context(), "hello", ""); octopus.CodeOf(err) != octopus.CodeConflict || !strings.Contains(err.Error(), "is disabled") {
		t.Errorf("disabled plugin: %v", err)
	}
	if err := c.SetEnabled(t.Context(), "hello", true, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetStatus(t.Context(), "hello", "1.0.0", octopus.VersionDisabled, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve(t.Context(), "hello", ""); err == nil || !strings.Contains(err.Error(), "Every version of hello is disabled") {
		t.Errorf("disabled version: %v", err)
	}
	if err := c.SetStatus(t.Context(), "hello", "1.0.0", octopus.VersionRevoked, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetStatus(t.Context(), "hello", "1.0.0", octopus.VersionPublished, "ada"); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("back from revoked: %v", err)
	}
	if _, err := c.Module(t.Context(), v.Digest); octopus.CodeOf(err) != octopus.CodeDenied {
		t.Errorf("a revoked module was given out: %v", err)
	}
	if err := c.SetEnabled(t.Context(), "helo", true, "ada"); err == nil || !strings.Contains(err.Error(), "did you mean hello") {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	v := upload(t, c, pack(t, "hello", "1.0.0", `{}`, ""))
	got, err := c.Check(t.Context(), v, "run", json.RawMessage(`{"url":"x"}`))
	if err != nil || string(got) != `{"n":3,"url":"x"}` {
		t.Errorf("got %s, %v", got, err)
	}
	for params, field := range map[string]string{`{}`: "/params/url", `{"url":1}`: "/params/url", `{"url":"x","n":"y"}`: "/params/n"} {
		_, err := c.Check(t.Context(), v, "run", json.RawMessage(params))
		e, ok := errors.AsType[*octopus.Error](err)
		if !ok || e.Code != octopus.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s: %v", params, err)
		}
	}
	if _, err := c.Check(t.Context(), v, "walk", nil); octopus.CodeOf(err) != octopus.CodeInvalid || err.Error() != `hello has no action "walk", it has: run.` {
		t.Errorf("got %v", err)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	upload(t, c, pack(t, "hello", "1.0.0", httpAnywhere, ""))
	resolve := func() octopus.PluginVersion {
		v, err := c.Resolve(t.Context(), "hello", "")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := resolve()
	if missing := c.MissingGrants(t.Context(), v); len(missing) == 0 || missing[0] != "hello needs http to any host." {
		t.Errorf("nothing granted: %q", missing)
	}
	if effective, err := c.EffectiveGrant(v); err != nil || effective.HTTP != nil {
		t.Errorf("nothing granted: %+v, %v", effective, err)
	}
	if err := c.Grant(t.Context(), v.Digest, spec.Capabilities{HTTP: &spec.HTTP{Hosts: []string{"example.com"}}}, "ada"); err != nil {
		t.Fatal(err)
	}
	v = resolve()
	if effective, err := c.EffectiveGrant(v); err != nil || effective.HTTP == nil || !effective.HTTP.Allows("example.com", 443, "GET") || effective.HTTP.Allows("example.org", 443, "GET") {
		t.Errorf("example.com granted: %+v, %v", effective, err)
	}
	if missing := c.MissingGrants(t.Context(), v); len(missing) == 0 {
		t.Error("example.com is not any host")
	}
	// More than the manifest asks for is not kept, and what it does not ask for at all is refused.
	more := spec.Capabilities{HTTP: &spec.HTTP{Hosts: []string{"*"}, Methods: []string{"GET", "DELETE"}}}
	if err := c.Grant(t.Context(), v.Digest, more, "ada"); err != nil || strings.Contains(string(resolve().Grant.Capabilities), "DELETE") {
		t.Errorf("more: %v, %s", err, resolve().Grant.Capabilities)
	}
	more.Env = []string{"HOME"}
	if err := c.Grant(t.Context(), v.Digest, more, "ada"); octopus.CodeOf(err) != octopus.CodeInvalid || !strings.Contains(err.Error(), "does not ask for this env") {
		t.Errorf("more: %v", err)
	}
	if err := c.GrantAll(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	if missing := c.MissingGrants(t.Context(), resolve()); len(missing) != 0 {
		t.Errorf("all granted: %q", missing)
	}
	if err := c.Revoke(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	if missing := c.MissingGrants(t.Context(), resolve()); len(missing) == 0 {
		t.Error("revoked, but nothing is missing")
	}
	if err := c.Grant(t.Context(), "sha256:00", spec.Capabilities{}, "ada"); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Errorf("unknown digest: %v", err)
	}
}
