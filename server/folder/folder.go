// Package folder finds plugins in a folder of the server's machine: when the server starts, when something changes
// there, and on demand.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"octopus/internal/octopus"
)

const (
	// settle is how long a file must have been left alone: until then somebody may be writing it.
	settle = 2 * time.Second
	// again is how often the folder is looked at without any sign: network file systems send none.
	again = time.Minute
	// maxFiles is how many modules of a folder are looked at, by name.
	maxFiles = 500
)

// Catalog is where what was found goes.
type Catalog interface {
	Found(ctx context.Context, module []byte, publish bool) (octopus.SubmissionStatus, error)
	MaxUpload() int64
	TooLarge() error
}

// Config says which folder.
type Config struct {
	// Dir is the folder. Its modules are the files *.wasm right in it; symbolic links are not followed.
	Dir string
	// Publish publishes what passes its checks. Defaults to false: it waits for a review.
	Publish bool
	Catalog Catalog
	// Log gets one line for each file that changed. Defaults to silence.
	Log *slog.Logger
	// Settle is how long a file must have been left alone. Defaults to 2 s.
	Settle time.Duration
}

// File is a module in the folder, as it was found last.
type File struct {
	Name    string
	Status  string // a [octopus.SubmissionStatus], or "broken"
	Problem string // a sentence, "" where there is none
	At      time.Time
}

// Report is what is in the folder.
type Report struct {
	Dir     string
	Problem string // why the folder cannot be read
	Files   []File // by name
	At      time.Time
}

// Broken is the status of a file that is no plugin.
const Broken = "broken"

// Folder is safe for concurrent use.
type Folder struct {
	cfg  Config
	turn chan struct{} // held by whoever looks at the folder, and guards what follows

	known  map[string]seen
	report Report
}

// seen is a file as it was when it was taken.
type seen struct {
	size  int64
	mod   time.Time
	retry bool // this server could not take it, which says nothing about the file
	file  File
}

// New makes a folder. It looks at nothing yet.
func New(cfg Config) *Folder {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Settle <= 0 {
		cfg.Settle = settle
	}
	return &Folder{cfg: cfg, turn: make(chan struct{}, 1), known: map[string]seen{}, report: Report{Dir: cfg.Dir}}
}

// lock takes the turn; the error is the context's.
func (f *Folder) lock(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *Folder) unlock() { <-f.turn }

// Last is what was found last. It waits while somebody looks.
func (f *Folder) Last(ctx context.Context) (Report, error) {
	if err := f.lock(ctx); err != nil {
		return Report{}, err
	}
	defer f.unlock()
	return f.copied(), nil
}

func (f *Folder) copied() Report {
	out := f.report
	out.Files = slices.Clone(out.Files)
	return out
}

// Rescan looks at the folder now, also again at files that were broken.
func (f *Folder) Rescan(ctx context.Context) (Report, error) {
	if err := f.lock(ctx); err != nil {
		return Report{}, err
	}
	defer f.unlock()
	for name, s := range f.known {
		if s.file.Problem != "" {
			delete(f.known, name)
		}
	}
	f.scan(ctx)
	return f.copied(), ctx.Err()
}

// scan takes what is new. unsettled says that a file is too young: look again soon. The caller has the turn.
func (f *Folder) scan(ctx context.Context) (unsettled bool) {
	root, err := os.OpenRoot(f.cfg.Dir)
	if err != nil {
		f.failed(err)
		return false
	}
	defer root.Close()
	names, err := modules(root)
	if err != nil {
		f.failed(err)
		return false
	}
	f.report.Problem, f.report.At, f.report.Files = "", time.Now(), nil
	present := map[string]bool{}
	for _, name := range names {
		if ctx.Err() != nil {
			return false
		}
		present[name] = true
		unsettled = !f.look(ctx, root, name) || unsettled
		if s, ok := f.known[name]; ok {
			f.report.Files = append(f.report.Files, s.file)
		}
	}
	for name := range f.known {
		if !present[name] {
			delete(f.known, name) // its versions stay
		}
	}
	return unsettled
}

// failed notes that the folder cannot be read, in the log once.
func (f *Folder) failed(err error) {
	problem := fmt.Sprintf("The plugin folder %s cannot be read: %v.", f.cfg.Dir, cause(err))
	if problem != f.report.Problem {
		f.cfg.Log.Warn("the plugin folder cannot be read", "dir", f.cfg.Dir, "error", cause(err))
	}
	f.report = Report{Dir: f.cfg.Dir, Problem: problem, At: time.Now()}
}

func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// modules lists the names of the modules by name. Directories, symbolic links and what is not a plain file are left
// out, and hidden files, which are what editors and copiers write first.
func modules(root *os.Root) (names []string, err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".wasm") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxFiles)], nil
}

// look takes one file where it is new or changed; false: it is not settled.
func (f *Folder) look(ctx context.Context, root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return true // gone meanwhile
	}
	if s, ok := f.known[name]; ok && !s.retry && s.size == info.Size() && s.mod.Equal(info.ModTime()) {
		return true
	}
	if age := time.Since(info.ModTime()); age >= 0 && age < f.cfg.Settle {
		return false
	}
	module, err := f.read(root, name, info)
	if errors.Is(err, errChanged) {
		return false
	}
	s := seen{size: info.Size(), mod: info.ModTime(), file: File{Name: name, At: time.Now()}}
	if err == nil {
		var status octopus.SubmissionStatus
		status, err = f.cfg.Catalog.Found(ctx, module, f.cfg.Publish)
		s.file.Status = string(status)
	}
	if ctx.Err() != nil {
		return true // this server stops
	}
	f.keep(s, err)
	return true
}

// keep remembers what became of a file, and tells the log, once for each change.
func (f *Folder) keep(s seen, err error) {
	before := f.known[s.file.Name]
	if err != nil {
		s.file.Status, s.file.Problem = Broken, octopus.Sentence(err)
		code := octopus.CodeOf(err)
		s.retry = code == octopus.CodeInternal || code == octopus.CodeUnavailable || code == octopus.CodeNoSpace
	}
	f.known[s.file.Name] = s
	switch {
	case before.retry && before.file.Problem == s.file.Problem:
	case err != nil:
		f.cfg.Log.Warn("a file of the plugin folder was not taken", "file", s.file.Name, "error", err)
	default:
		f.cfg.Log.Info("a plugin was found in the plugin folder", "file", s.file.Name, "status", s.file.Status)
	}
}

var errChanged = errors.New("it changed while it was read")

// read returns a file that was not written meanwhile.
func (f *Folder) read(root *os.Root, name string, before fs.FileInfo) ([]byte, error) {
	if before.Size() > f.cfg.Catalog.MaxUpload() {
		return nil, f.cfg.Catalog.TooLarge()
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "It cannot be read: %v.", cause(err))
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil || !os.SameFile(before, opened) {
		return nil, errChanged // another file, or a link, took its place
	}
	module, err := io.ReadAll(io.LimitReader(file, before.Size()+1))
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "It cannot be read: %v.", cause(err))
	}
	after, err := file.Stat()
	if err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) || int64(len(module)) != before.Size() {
		return nil, errChanged
	}
	return module, nil
}
