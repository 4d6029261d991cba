package folder

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Run looks at the folder now, whenever something changes there, and once a minute in any case, until ctx is done.
func (f *Folder) Run(ctx context.Context) error {
	signs, troubles, done := f.watch()
	defer done()
	tick := time.NewTicker(again)
	defer tick.Stop()
	soon := time.NewTimer(0)
	defer soon.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signs: // many signs are one look, when it is quiet
			soon.Reset(f.cfg.Settle)
			continue
		case err := <-troubles: // signs were lost: look
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
		f.unlock()
		if unsettled {
			soon.Reset(f.cfg.Settle)
		}
	}
}

// watch asks the operating system for signs. Where it has none to give, the look of each minute remains.
func (f *Folder) watch() (signs <-chan fsnotify.Event, troubles <-chan error, done func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		f.cfg.Log.Warn("the plugin folder is looked at once a minute: changes cannot be watched", "dir", f.cfg.Dir, "error", err)
		return nil, nil, func() {}
	}
	if err := w.Add(f.cfg.Dir); err != nil {
		_ = w.Close()
		f.cfg.Log.Warn("the plugin folder is looked at once a minute: changes cannot be watched", "dir", f.cfg.Dir, "error", err)
		return nil, nil, func() {}
	}
	return w.Events, w.Errors, func() { _ = w.Close() }
}
