package agent

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/agent/core"
	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// leaver offers the module that hands files over, and answers its question for a secret.
func leaver(t *testing.T, h *hub, p *peer, change func(*wire.Offer)) {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("testdata", "artifacts.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	o := offer(h.publish(module))
	o.ArtifactBytes = wire.MaxArtifactBytes
	o.Grant = json.RawMessage(`{"secrets":[{"name":"token","expose":"value"}]}`)
	if change != nil {
		change(o)
	}
	p.run(o)
	call := next[*wire.Call](p)
	p.send(&wire.Reply{ID: call.ID, Response: json.RawMessage(`{"value":"s3cret-value"}`)})
}

// TestArtifacts: what a plugin hands over reaches the server before its result, though that is a failure, and without
// the secret, also where that came in two pieces. Nothing stays on the agent.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, _ := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	leaver(t, h, p, nil)
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Failed || r.ArtifactsSHA256 == "" || r.ArtifactsLost != "" {
		t.Fatalf("the result is %+v", r)
	}
	h.mu.Lock()
	raw := h.blobs[r.ArtifactsSHA256]
	h.mu.Unlock()
	list, err := wire.DecodeArtifacts(raw)
	if err != nil || hexSum(raw) != r.ArtifactsSHA256 || len(list) != 2 {
		t.Fatalf("%d artifacts of %q: %v", len(list), raw, err)
	}
	if note := list[0]; note.Name != "note.txt" || note.MediaType != "text/plain; charset=utf-8" || string(note.Data) != "It is [secret token]." {
		t.Errorf("%s %s: %q", note.Name, note.MediaType, note.Data)
	}
	if cut := list[1]; cut.Name != "cut.bin" || cut.MediaType != "x/y" || string(cut.Data) != "\x00[secret token]" {
		t.Errorf("%s %s: %q", cut.Name, cut.MediaType, cut.Data)
	}
	p.ack(r, wire.VerdictCommitted)
	until(t, "nothing is left of them on the agent", func() bool {
		waiting, err := os.ReadDir(filepath.Join(a.folder.path, dirArtifacts))
		spooled, _ := filepath.Glob(filepath.Join(a.folder.path, dirSpool, "*"+suffixArtifacts))
		return err == nil && len(waiting)+len(spooled) == 0
	})
}

// TestArtifactsOfADryRun: they are told, not kept.
func TestArtifactsOfADryRun(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	leaver(t, h, p, func(o *wire.Offer) { o.DryRun = true })
	r := next[*wire.Result](p)
	if r.ArtifactsSHA256 != "" || r.ArtifactsLost != "" {
		t.Errorf("a dry run left files: %+v", r)
	}
	contains(t, string(r.Intents), "keep the file note.txt (19 bytes) with the execution")
	p.ack(r, wire.VerdictCommitted)
}

// TestArtifactsThatTheServerRefuses: the result goes without them, and says so.
func TestArtifactsThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	h.refuseWith(func(w http.ResponseWriter, path string) bool {
		if !strings.HasPrefix(path, wire.PathBlobs) {
			return false
		}
		problem(w, 413, "too_large", "That is too much.")
		return true
	})
	leaver(t, h, p, nil)
	r := next[*wire.Result](p)
	if r.ArtifactsSHA256 != "" || !strings.Contains(string(r.Response), "It failed.") {
		t.Errorf("the result is %+v", r)
	}
	contains(t, r.ArtifactsLost, "That is too much.")
	p.ack(r, wire.VerdictCommitted)
}

// removals counts what a folder was asked to remove.
type removals struct {
	disk.Folder
	names []string
}

func (r *removals) Remove(name string) error {
	r.names = append(r.names, name)
	return r.Folder.Remove(name)
}

func TestForgettingAsksTheDiskOnlyForWhatIsThere(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	folder := &removals{Folder: disk.Root(root)}
	before, err := openBlobs(folder)
	if err != nil {
		t.Fatal(err)
	}
	key := core.Key{Execution: "exe_1", Fence: 1}
	for _, suffix := range []string{suffixBlob, suffixArtifacts} {
		if err := before.write(key, suffix, []byte("large")); err != nil {
			t.Fatal(err)
		}
	}
	after, err := openBlobs(folder) // the next process
	if err != nil {
		t.Fatal(err)
	}
	folder.names = nil
	after.remove(core.Key{Execution: "exe_2", Fence: 1})
	if len(folder.names) != 0 {
		t.Errorf("an execution without files: %q", folder.names)
	}
	after.remove(key)
	after.remove(key)
	left, err := folder.ReadDir(".")
	if err != nil || len(left) != 0 || len(folder.names) != 2 {
		t.Errorf("left %v, removed %q, %v", left, folder.names, err)
	}
}
