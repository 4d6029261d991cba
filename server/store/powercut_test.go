package store_test

import (
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"octopus/internal/powercut"
	"octopus/server/store"
	"octopus/server/store/storetest"
	"octopus/server/store/storetest/diskvfs"
)

// powerCuts is how many cuts a test makes: few with all other tests, as many as OCTOPUS_POWERCUTS says in
// `make powercut`.
func powerCuts(t testing.TB, few int) int {
	if n, err := strconv.Atoi(os.Getenv("OCTOPUS_POWERCUTS")); err == nil && n > 0 {
		return n
	}
	if testing.Short() || raceDetector {
		few = few/5 + 1
	}
	return few
}

// boot is a disk in a running machine.
type boot struct {
	disk *powercut.Disk
	vfs  string
	flaw flaw
}

// flaw is a mistake that the checks must catch.
type flaw struct {
	synchronous string // another setting than "full"
	noFolder    bool   // the folder of a new WAL is not synced
}

func newBoot(t testing.TB, d *powercut.Disk, f flaw) *boot {
	return &boot{disk: d, vfs: diskvfs.Register(t, d), flaw: f}
}

func (b *boot) open(t testing.TB) (*store.Store, error) {
	options := store.Options{URL: filepath.Join(os.TempDir(), "octopus.db")}
	return store.Open(t.Context(), options.OnDisk(b.vfs, b.flaw.synchronous, func(string) error {
		if b.flaw.noFolder {
			return nil
		}
		return b.disk.SyncDir(".")
	}))
}

func (b *boot) raw(t testing.TB) *sql.DB {
	db, err := sql.Open("sqlite3", "file:///octopus.db?vfs="+b.vfs+"&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// template returns a disk with a migrated, empty database.
func templateDisk(t testing.TB) *powercut.Disk {
	t.Helper()
	data, err := os.ReadFile(storetest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	d := powercut.New()
	d.Put("octopus.db", data)
	return d
}

// record runs a load on a store, twice with a restart in between, and returns what clients were told.
func record(t *testing.T, seed uint64, f flaw, rounds int) *history {
	d := templateDisk(t)
	h := newHistory(d)
	for restart := range uint64(2) {
		b := newBoot(t, d, f)
		s, err := b.open(t)
		if err != nil {
			t.Fatal(err)
		}
		h.load(t, s, 2*seed+restart, 6, rounds)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		diskvfs.Unregister(b.vfs)
	}
	return h
}

// cutOnce cuts the power at a point and returns what is wrong with what a new server finds. Some servers lose it
// again soon after.
func (h *history) cutOnce(t *testing.T, at int, seed uint64) []string {
	d := h.disk.Cut(at, seed)
	wrongs := h.reopen(t, d, at)
	if len(wrongs) == 0 && seed%4 == 0 {
		wrongs = h.reopen(t, d.Cut(int(seed>>2)%(d.Len()+1), seed), at)
	}
	return wrongs
}

func (h *history) reopen(t *testing.T, d *powercut.Disk, at int) []string {
	b := newBoot(t, d, flaw{})
	defer diskvfs.Unregister(b.vfs)
	s, err := b.open(t)
	if err != nil {
		return []string{"opening: " + err.Error()}
	}
	defer s.Close()
	db := b.raw(t)
	defer db.Close()
	return h.check(t, s, db, at)
}

// cuts makes up to n cuts in a history, anywhere or beside a sync, and returns the first that shows a wrong.
func (h *history) cuts(t *testing.T, seed uint64, n int) (at int, wrongs []string) {
	points := h.disk.Boundaries()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range n {
		at = rng.IntN(h.disk.Len() + 1)
		if rng.IntN(2) == 0 {
			at = points[rng.IntN(len(points))]
		}
		if wrongs = h.cutOnce(t, at, rng.Uint64()); len(wrongs) > 0 {
			break
		}
	}
	return at, wrongs
}

// TestPowerCut: a server that loses power at any moment has, when it is back, everything that it had acknowledged,
// and nothing by halves.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	const perHistory = 50
	total, executions := powerCuts(t, perHistory), 0
	for seed, left := uint64(1), total; left > 0; seed++ {
		h := record(t, seed, flaw{}, 6)
		if at, wrongs := h.cuts(t, seed, min(left, perHistory)); len(wrongs) > 0 {
			t.Fatalf("history %d, cut at %d of %d: %d wrongs, the first of them:\n%s", seed, at, h.disk.Len(), len(wrongs),
				strings.Join(wrongs[:min(8, len(wrongs))], "\n"))
		}
		left -= min(left, perHistory)
		executions += len(h.executions)
	}
	t.Logf("0 lost in %d power cuts under a load of %d executions", total, executions)
}

// TestPowerCutCaught: the checks catch stores that acknowledge before the disk does.
func TestPowerCutCaught(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]flaw{
		"synchronous off":    {synchronous: "off"},
		"synchronous normal": {synchronous: "normal"},
		"folder not synced":  {noFolder: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, wrongs := record(t, 1, f, 3).cuts(t, 1, 60)
			if len(wrongs) == 0 {
				t.Fatal("60 power cuts found nothing")
			}
			t.Logf("caught by the cut at %d: %.200s", at, wrongs[0])
		})
	}
}

// TestPowerCutMigration: a server that loses power while it makes its first database finds its way when it is back.
func TestPowerCutMigration(t *testing.T) {
	t.Parallel()
	d := powercut.New()
	s, err := newBoot(t, d, flaw{}).open(t)
	if err != nil {
		t.Fatal(err)
	}
	newest, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	cuts := powerCuts(t, 25)
	for i := range cuts {
		at := d.Len() * i / cuts
		b := newBoot(t, d.Cut(at, uint64(i)), flaw{})
		s, err := b.open(t)
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", at, d.Len(), err)
		}
		h, err := s.Health(t.Context())
		if err == nil {
			_, _, err = s.CreateRun(t.Context(), storetest.NewRun(s, 1, nil))
		}
		if err != nil || h.SchemaVersion != newest.SchemaVersion {
			t.Fatalf("cut at %d of %d: schema %d, %v", at, d.Len(), h.SchemaVersion, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		diskvfs.Unregister(b.vfs)
	}
	t.Logf("%d cuts in the %d operations of a first start", cuts, d.Len())
}
