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
	"time"

	"octopus/internal/octopus"
)

const (
	// settle is how long a file must have been left alone: until then somebody may be writing it.
	settle = 2 * time.Second
	// again is how often the folder is looked at without any sign: network file systems send none.
	again = time.Minute
	// maxFiles is how many plugins of a folder are looked at, by name, and maxFolders how many folders in it.
	maxFiles, maxFolders = 500, 100
)

// Catalog is where what was found goes.
type Catalog interface {
	Found(ctx context.Context, module []byte, publish bool) (octopus.SubmissionStatus, error)
	// ReadModule reads a file that should be a module; size is in bytes.
	ReadModule(r io.Reader, size int64) ([]byte, error)
	// PackModule and PackScript make the module of a folder with a plugin.yaml.
	PackModule(module, manifest []byte) ([]byte, error)
	PackScript(script, manifest []byte) ([]byte, error)
}

// Config says which folder.
type Config struct {
	// Dir is the folder. Its modules are the files *.wasm right in it and in the folders right in it. A folder with a
	// plugin.yaml is one plugin: a script, plugin.js, or one module. Symbolic links are not followed.
	Dir string
	// Publish publishes what passes its checks. Defaults to false: it waits for a review.
	Publish bool
	Catalog Catalog
	// Log gets one line for each file that changed. Defaults to silence.
	Log *slog.Logger
	// Settle is how long a file must have been left alone. Defaults to 2 s.
	Settle time.Duration
}

// File is a plugin in the folder, as it was found last.
type File struct {
	Name    string // of the file, or of the folder with a slash after it
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

	known   map[string]seen
	report  Report
	folders []string // in the folder, as they were found last
}

// seen is a plugin as it was when it was taken.
type seen struct {
	stamp string // sizes and times of its files
	retry bool   // this server could not take it, which says nothing about the file
	file  File
}

// open reports whether the file as it is may come to something else: this server could not take it, or somebody reviews it.
func (s seen) open() bool { return s.retry || s.file.Status == string(octopus.SubmissionInReview) }

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
	list, folders, err := plugins(root)
	if err != nil {
		f.failed(err)
		return false
	}
	f.report.Problem, f.report.At, f.report.Files, f.folders = "", time.Now(), nil, folders
	present := map[string]bool{}
	for _, p := range list {
		if ctx.Err() != nil {
			return false
		}
		present[p.name] = true
		unsettled = !f.look(ctx, root, p) || unsettled
		if s, ok := f.known[p.name]; ok {
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
	case before.open() && before.file.Status == s.file.Status && before.file.Problem == s.file.Problem:
	case err != nil:
		f.cfg.Log.Warn("a file of the plugin folder was not taken", "file", s.file.Name, "error", err)
	default:
		f.cfg.Log.Info("a plugin was found in the plugin folder", "file", s.file.Name, "status", s.file.Status)
	}
}
