package e2e_test

import (
	"bytes"
	"crypto/ed25519"
	"database/sql"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver" // registers "sqlite3"

	"octopus/e2e/harness"
	"octopus/internal/wire"
	"octopus/sdk"
)

// tamper changes the database of a server behind its back, while it does not run: what somebody can do who has come
// into that machine, but does not have the key that signs.
func tamper(t *testing.T, w *harness.World, query string, args ...any) {
	t.Helper()
	if code := w.Server.Stop(); code != 0 {
		t.Fatalf("the server ended with %d", code)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(filepath.Join(w.Folder, "server", "octopus.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%s changed %d rows, %v", query, n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w.StartServer(w.Address)
}

// isRefused runs the plugin on an agent, which must refuse it: the execution has its own error and has not started, and
// the plugin's history says who refused what, and why.
func isRefused(t *testing.T, w *harness.World, agent, code string, status int, why string) {
	t.Helper()
	start := sleeper(0)
	start.Target = sdk.Target{Mode: "agent", Agent: agent}
	run := w.Run(start)
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if x.Status != "failed" || x.Reason == nil || x.Reason.Code != code || !strings.Contains(x.Reason.Message, why) || !x.StartedAt.IsZero() ||
		x.Response == nil || x.Response.StatusCode != status {
		t.Errorf("%s: %s, reason %+v, started at %s, response %+v; want %s", agent, x.Status, x.Reason, x.StartedAt, x.Response, code)
	}
	for _, e := range refusals(t, w) {
		if e.Actor == agent && e.Digest != "" && e.Version == x.PluginVersion && strings.Contains(e.Message, why) {
			return
		}
	}
	t.Errorf("the plugin's history does not say that %s refused %s because %s: %+v", agent, x.PluginVersion, why, refusals(t, w))
}

// published is the version that was published, and its module.
func published(t *testing.T, w *harness.World) sdk.PluginVersion {
	t.Helper()
	publish(t, w, sleeperManifest, sleeperScript)
	v, err := w.Client.PluginVersion(t.Context(), "sleeper", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestOtherBytes: the server gives out other bytes than those that were published.
func TestOtherBytes(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	v := published(t, w)
	tamper(t, w, "UPDATE modules SET data = ? WHERE digest = ?", bytes.Repeat([]byte{0}, int(v.SizeBytes)), v.Digest)
	w.Agent("web-01")
	isRefused(t, w, "web-01", "digest_mismatch", 502, "its digest differs")
}

// TestUnknownKey: a module that was signed well, by a key that is not the server's.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	v := published(t, w)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := wire.SignedModule{Plugin: v.Plugin, Version: v.Version, Digest: v.Digest, Size: v.SizeBytes}
	tamper(t, w, "UPDATE plugin_signatures SET key_id = ?, signature = ? WHERE digest = ?",
		wire.KeyID(public), base64.StdEncoding.EncodeToString(ed25519.Sign(private, m.Statement())), v.Digest)
	w.Agent("web-01")
	isRefused(t, w, "web-01", "untrusted", 403, "signed by a key that this agent does not know")
}

// TestDowngrade passes an old version off as a new one: on an agent that has it, with its signature, and on one that
// fetches it.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	v := published(t, w)
	w.Agent("web-01")
	if run := w.Run(sleeper(0)); run.Status != "succeeded" {
		t.Fatalf("before: %s", run.Status)
	}
	tamper(t, w, "UPDATE plugin_versions SET version = '2.0.0' WHERE digest = ?", v.Digest)
	w.Online("web-01")
	isRefused(t, w, "web-01", "untrusted", 403, "it is signed as sleeper 1.0.0, and was offered as sleeper 2.0.0")
	w.Agent("web-02")
	isRefused(t, w, "web-02", "untrusted", 403, "its signature is wrong")
}
