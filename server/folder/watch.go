package folder

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Run looks at the folder now, whenever something changes there, and once a minute in any case, until ctx is done.
func (f *Folder) Run(ctx context.Context) error {
	w := f.watch()
	defer w.close()
	tick := time.NewTicker(again)
	defer tick.Stop()
	soon := time.NewTimer(0)
	defer soon.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.signs: // many signs are one look, when it is quiet
			soon.Reset(f.cfg.Settle)
			continue
		case err := <-w.troubles: // signs were lost: look
			f.cfg.Log.Warn("changes of the plugin folder were missed", "dir", f.cfg.Dir, "error", err)
			soon.Reset(f.cfg.Settle)
			continue
		case <-tick.C:
		case <-soon.C:
		}
		if err := f.lock(ctx); err != nil {
			return err
		}
		unsettled := f.scan(ctx)
		w.follow(f.cfg.Dir, f.folders)
		f.unlock()
		if unsettled {
			soon.Reset(f.cfg.Settle)
		}
	}
}

// watcher has signs of the operating system. Where that has none to give, the look of each minute remains.
type watcher struct {
	signs    <-chan fsnotify.Event
	troubles <-chan error
	system   *fsnotify.Watcher // nil without signs
}

func (f *Folder) watch() *watcher {
	system, err := fsnotify.NewWatcher()
	if err == nil {
		if err = system.Add(f.cfg.Dir); err == nil {
			return &watcher{signs: system.Events, troubles: system.Errors, system: system}
		}
		_ = system.Close()
	}
	f.cfg.Log.Warn("the plugin folder is looked at once a minute: changes cannot be watched", "dir", f.cfg.Dir, "error", err)
	return &watcher{}
}

// follow watches the folders in the folder too. Those that are gone end by themselves.
func (w *watcher) follow(dir string, folders []string) {
	if w.system == nil {
		return
	}
	for _, name := range folders[:min(len(folders), maxFolders)] {
		_ = w.system.Add(filepath.Join(dir, name)) // else its changes are seen within a minute
	}
}

func (w *watcher) close() {
	if w.system != nil {
		_ = w.system.Close()
	}
}
