package backup

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Config says where a keeper keeps what.
type Config struct {
	Store *store.Store
	// Folder holds the backups. It is made with the first.
	Folder string
	// Every is how often one is made by itself. Defaults to never.
	Every time.Duration
	// Keep is how many of those stay, the newest. What people asked for stays until they remove it. Defaults to 7.
	Keep int
	// Version of the server, for manifests.
	Version string
	// Log receives what an operator should know. Defaults to silence.
	Log *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// State is how far a backup is.
type State string

// The states of a backup.
const (
	Running State = "running"
	Ready   State = "ready"
	Failed  State = "failed"
)

// Info is a backup in the keeper's folder, one that is being made, or the latest that failed.
type Info struct {
	Manifest
	Name     string
	State    State
	Fraction float64 // done
	Err      error   // why it failed
}

// Keeper makes the backups of a running server, one at a time. Give it a goroutine with [Keeper.Run].
type Keeper struct {
	cfg  Config
	work chan string // the name to make; 1 deep, and empty whenever current is not running

	mu      sync.Mutex
	current Info // guarded by mu; the latest that was begun by this process
}

// NewKeeper makes a keeper.
func NewKeeper(c Config) *Keeper {
	if c.Keep <= 0 {
		c.Keep = 7
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Keeper{cfg: c, work: make(chan string, 1)}
}

// byItself ends the names of backups that nobody asked for.
const byItself = "-auto.db"

var validName = regexp.MustCompile(`^octopus-\d{8}T\d{6}\.\d{3}Z(-auto)?\.db$`)

// lookEvery is how often the keeper looks whether a backup is due.
const lookEvery = time.Minute

// Run makes what was begun and what is due, until ctx is done.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		k.due()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case name := <-k.work:
			k.make(ctx, name)
		case <-tick.C:
		}
	}
}

// due begins a backup where the newest that was made by itself is old enough.
func (k *Keeper) due() {
	if k.cfg.Every <= 0 || k.cfg.Store.Dialect() != "sqlite" {
		return
	}
	for _, b := range k.ready() { // the newest first
		if strings.HasSuffix(b.Name, byItself) {
			if k.cfg.Now().Sub(b.CreatedAt) < k.cfg.Every {
				return
			}
			break
		}
	}
	k.mu.Lock()
	again := k.current.State == Failed && k.cfg.Now().Sub(k.current.CreatedAt) < k.cfg.Every/10
	k.mu.Unlock()
	if !again {
		_, _ = k.begin(byItself) // somebody's own is under way: the next look begins it
	}
}

// Begin starts a backup and returns at once; Get tells how it goes.
func (k *Keeper) Begin() (Info, error) {
	if k.cfg.Store.Dialect() != "sqlite" {
		_, err := k.cfg.Store.CopyTo(context.Background(), "", nil) // says what to use instead
		return Info{}, err
	}
	return k.begin(".db")
}

func (k *Keeper) begin(suffix string) (Info, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.State == Running {
		return k.current, octopus.Errorf(octopus.CodeConflict, "The backup %s is being made. Wait for it, then make another.", k.current.Name)
	}
	now := k.cfg.Now().UTC()
	k.current = Info{Name: "octopus-" + now.Format("20060102T150405.000Z") + suffix, State: Running, Manifest: Manifest{CreatedAt: now}}
	k.work <- k.current.Name
	return k.current, nil
}

func (k *Keeper) make(ctx context.Context, name string) {
	begun := k.cfg.Now()
	m, err := Write(ctx, k.cfg.Store, filepath.Join(k.cfg.Folder, name), k.cfg.Version, func(f float64) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.current.Fraction = f
	})
	k.mu.Lock()
	if err != nil {
		k.current.State, k.current.Err = Failed, err
	} else {
		k.current = Info{Manifest: m, Name: name, State: Ready, Fraction: 1}
	}
	k.mu.Unlock()
	switch {
	case err == nil:
		k.cfg.Log.Info("backup made", "backup", name, "bytes", m.Bytes, "took", k.cfg.Now().Sub(begun))
		k.prune()
	case ctx.Err() == nil:
		k.cfg.Log.Error("the backup failed", "backup", name, "error", err)
	}
}

// prune removes what was made by itself beyond the newest Keep.
func (k *Keeper) prune() {
	kept := 0
	for _, b := range k.ready() {
		if !strings.HasSuffix(b.Name, byItself) {
			continue
		}
		if kept++; kept > k.cfg.Keep {
			if err := k.Remove(b.Name); err != nil {
				k.cfg.Log.Warn("an old backup was not removed", "backup", b.Name, "error", err)
			}
		}
	}
}

// ready lists the complete backups, the newest first.
func (k *Keeper) ready() (list []Info) {
	files, _ := os.ReadDir(k.cfg.Folder) // no folder: none was made yet
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ManifestSuffix)
		if name == f.Name() || !validName.MatchString(name) {
			continue
		}
		if m, err := ReadManifest(filepath.Join(k.cfg.Folder, name)); err == nil {
			list = append(list, Info{Manifest: m, Name: name, State: Ready, Fraction: 1})
		}
	}
	slices.SortFunc(list, func(a, b Info) int { return cmp.Compare(b.Name, a.Name) })
	return list
}

// List is what there is, the newest first, with one that is being made or has failed.
func (k *Keeper) List() []Info {
	list := k.ready()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.State == Running || k.current.State == Failed {
		list = append([]Info{k.current}, list...)
	}
	return list
}

// Get finds one by its name.
func (k *Keeper) Get(name string) (Info, error) {
	for _, b := range k.List() {
		if b.Name == name {
			return b, nil
		}
	}
	return Info{}, octopus.Errorf(octopus.CodeNotFound, "There is no backup %q. octopus backups list shows them.", name)
}

// Open opens a complete backup for reading.
func (k *Keeper) Open(name string) (*os.File, Info, error) {
	b, err := k.Get(name)
	if err != nil {
		return nil, b, err
	}
	if b.State != Ready {
		return nil, b, octopus.Errorf(octopus.CodeConflict, "The backup %s is not complete.", name)
	}
	f, err := os.Open(filepath.Join(k.cfg.Folder, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, b, octopus.Errorf(octopus.CodeNotFound, "The file of the backup %s is gone.", name)
	}
	return f, b, err
}

// Remove deletes a backup: its manifest first, so that what is left of it is none.
func (k *Keeper) Remove(name string) error {
	b, err := k.Get(name)
	if err != nil {
		return err
	}
	if b.State == Running {
		return octopus.Errorf(octopus.CodeConflict, "The backup %s is being made. Wait for it.", name)
	}
	if b.State == Failed {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.current = Info{}
		return nil
	}
	path := filepath.Join(k.cfg.Folder, name)
	return removeAll(path+ManifestSuffix, path)
}
