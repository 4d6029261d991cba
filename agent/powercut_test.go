package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"octopus/agent/core"
	"octopus/agent/journal"
	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/powercut"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// below is a folder of a disk as a folder of its own.
type below struct {
	*powercut.Disk
	dir string
}

func (b below) name(name string) string { return b.dir + "/" + name }

func (b below) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	return b.Disk.OpenFile(b.name(name), flag, perm)
}
func (b below) MkdirAll(name string, perm fs.FileMode) error {
	return b.Disk.MkdirAll(b.name(name), perm)
}
func (b below) Rename(from, to string) error               { return b.Disk.Rename(b.name(from), b.name(to)) }
func (b below) Remove(name string) error                   { return b.Disk.Remove(b.name(name)) }
func (b below) SyncDir(name string) error                  { return b.Disk.SyncDir(b.name(name)) }
func (b below) ReadDir(name string) ([]fs.DirEntry, error) { return b.Disk.ReadDir(b.name(name)) }

// diskAgent is the durable part of an agent on a disk whose power can be cut.
func diskAgent(t *testing.T, d *powercut.Disk) (*Agent, []journal.Entry) {
	t.Helper()
	j, entries, err := journal.Open(d, fileJournal, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	b, err := openBlobs(below{d, dirSpool})
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{config: Config{Log: slog.New(slog.DiscardHandler)}, journal: j, held: map[core.Key]*held{},
		outputs: outputs{below{d, dirFiles}}, blobs: b}
	return a, entries
}

// output is an execution that writes files and a large response.
type output struct {
	offer *wire.Offer
	files map[string][]byte
	blob  []byte
	sure  int // since when its result is on the disk
	acked int // when the server had it
}

func (o *output) key() core.Key { return core.Key{Execution: o.offer.Execution, Fence: o.offer.Fence} }

func newOutput(rng *rand.Rand, n int) *output {
	o := &output{files: map[string][]byte{}, offer: offer("x")}
	o.offer.Execution = fmt.Sprintf("exe_%d", n)
	for i := range rng.IntN(4) + 1 {
		o.files[fmt.Sprintf("%d-%d.txt", n, i)] = bytes.Repeat([]byte{'a' + byte(i)}, rng.IntN(3000)+1)
	}
	o.blob = bytes.Repeat([]byte("blob"), rng.IntN(2000)+1)
	return o
}

// run does what an agent does for an execution that has a result, to the server's word and beyond. The server may
// have the result, and say so, before the agent's own disk does.
func (o *output) run(t *testing.T, a *Agent, d *powercut.Disk, early bool) {
	k := journal.Key(o.key())
	a.held[o.key()] = &held{offer: o.offer, since: time.Now(), staged: true}
	sum := sha256.Sum256(o.blob)
	var ops []spec.Operation
	for name, data := range o.files {
		ops = append(ops, fileOp(name, string(data)))
	}
	for _, err := range []error{
		a.journal.Accepted(o.offer), a.journal.Started(k, 1), a.outputs.stage(o.offer, ops), a.blobs.write(o.key(), suffixBlob, o.blob),
		a.journal.Result(&wire.Result{Execution: k.Execution, Fence: k.Fence, Attempt: 1, Outcome: octopus.Succeeded, BlobSHA256: hex.EncodeToString(sum[:])}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if !early {
		if err := a.journal.Sync(); err != nil {
			t.Error(err)
		}
		o.sure = d.Len()
	}
	o.acked = d.Len()
	a.commit(o.key())
	if early {
		o.sure = d.Len()
	}
}

// check: after a cut, and after the server has said its word again, the files of an execution are all there or none
// is, and all where its result was sure.
func (o *output) check(t *testing.T, a *Agent, d *powercut.Disk, entries []journal.Entry, cut int) {
	t.Helper()
	var result *wire.Result
	known := false
	for _, e := range entries {
		if e.Offer.Execution == o.offer.Execution {
			result, known = e.Result, true
		}
	}
	a.held[o.key()] = &held{offer: o.offer, staged: true}
	switch {
	case result != nil:
		raw, err := a.blobs.read(o.key(), suffixBlob)
		sum := sha256.Sum256(raw)
		if cut > o.acked && err != nil {
			break // the server has it and will not ask
		}
		if err != nil || hex.EncodeToString(sum[:]) != result.BlobSHA256 {
			t.Fatalf("cut at %d: the journal names the result of %s, which is not there: %v", cut, o.offer.Execution, err)
		}
	case known: // lost, or the server has it from before: either way nothing more is done
		a.forget(o.key())
	}
	if result != nil {
		a.commit(o.key())
	}
	there := 0
	for name, data := range o.files {
		if got, err := disk.ReadFile(a.outputs.folder, taskDir(o.offer)+"/"+name); err == nil {
			there++
			if !bytes.Equal(got, data) {
				t.Fatalf("cut at %d: %s has %d bytes, not %d", cut, name, len(got), len(data))
			}
		}
	}
	if there != 0 && there != len(o.files) || there == 0 && (result != nil || o.sure > 0 && o.sure <= cut) {
		t.Fatalf("cut at %d: %d of %d files of %s are there; result sure since %d, in the journal: %v", cut, there, len(o.files), o.offer.Execution, o.sure, result != nil)
	}
}

// TestPowerCut: an agent that loses power at any moment has, when it is back and the server has said its word, all
// files of an execution or none, and the result that its journal speaks of.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	const perHistory = 100
	left := perHistory
	if n, err := strconv.Atoi(os.Getenv("OCTOPUS_POWERCUTS")); err == nil {
		left = n
	}
	total := left
	for seed := uint64(1); left > 0; seed++ {
		rng := rand.New(rand.NewPCG(seed, 0))
		d := powercut.New()
		for _, dir := range []string{dirFiles, dirSpool} {
			if err := d.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		d = d.Clone() // enrolled long ago
		a, _ := diskAgent(t, d)
		var outputs []*output
		for n := range 10 {
			o := newOutput(rng, n)
			o.run(t, a, d, rng.IntN(2) == 0)
			outputs = append(outputs, o)
		}
		for range min(left, perHistory) {
			left--
			at := rng.IntN(d.Len() + 1)
			after := d.Cut(at, rng.Uint64())
			again, entries := diskAgent(t, after)
			for _, o := range outputs {
				o.check(t, again, after, entries, at)
			}
		}
	}
	t.Logf("0 lost in %d power cuts", total)
}
