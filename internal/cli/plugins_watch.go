package cli

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a folder must be quiet before it is built: editors write a file in several steps.
const settle = 200 * time.Millisecond

// folderWatch tells of changes below a folder. It belongs to one goroutine.
type folderWatch struct {
	events *fsnotify.Watcher
}

// watchFolder watches a folder and those below it, but for what quiet leaves out.
func watchFolder(dir string) (*folderWatch, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching files: %w", err)
	}
	w := &folderWatch{events}
	if err := w.add(dir); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *folderWatch) add(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return nil // gone meanwhile, or no folder
		case path != dir && quiet(path):
			return filepath.SkipDir
		}
		return w.events.Add(path)
	})
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	return nil
}

// wait returns when something has changed and is quiet again; the error is the context's.
func (w *folderWatch) wait(ctx context.Context) error {
	var still <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-still:
			return nil
		case err, ok := <-w.events.Errors:
			if !ok {
				return fmt.Errorf("watching files: %w", fsnotify.ErrClosed)
			}
			return fmt.Errorf("watching files: %w", err)
		case e, ok := <-w.events.Events:
			if !ok {
				return fmt.Errorf("watching files: %w", fsnotify.ErrClosed)
			}
			if quiet(e.Name) || e.Op == fsnotify.Chmod {
				continue
			}
			if e.Op.Has(fsnotify.Create) {
				if err := w.add(e.Name); err != nil {
					return err
				}
			}
			still = time.After(settle)
		}
	}
}

func (w *folderWatch) close() { _ = w.events.Close() }
