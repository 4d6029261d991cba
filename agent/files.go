package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"octopus/agent/core"
	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// Bounds on what plugins leave behind.
const (
	folderQuota = 64 << 20 // bytes in one task's output folder
	lateFiles   = 200      // results kept that the server did not want
	dirLate     = "late"
	dirAdhoc    = "adhoc"
	stagePrefix = ".staged-"
)

// outputs is files/: one folder per task, one for ad-hoc work, one for late results.
type outputs struct{ folder disk.Folder }

// taskDir is where a task's files go. Names come from the server; anything but an id goes to the ad-hoc folder.
func taskDir(o *wire.Offer) string {
	if octopus.ValidID(octopus.PrefixTask, o.Task) {
		return o.Task
	}
	return dirAdhoc
}

func stageDir(o *wire.Offer) string {
	return taskDir(o) + "/" + stagePrefix + o.Execution + "." + strconv.FormatInt(o.Fence, 10)
}

// stage writes the file operations of a response where they wait for the server's word. All or none: on an error
// nothing stays. The error is a sentence.
func (f outputs) stage(o *wire.Offer, data []spec.Operation) error {
	files := slices.DeleteFunc(slices.Clone(data), func(op spec.Operation) bool { return op.Type != spec.OpFile })
	if len(files) == 0 {
		return nil
	}
	err := f.stageAll(o, files)
	if err != nil {
		_ = disk.RemoveAll(f.folder, stageDir(o))
	}
	return err
}

func (f outputs) stageAll(o *wire.Offer, files []spec.Operation) error {
	dir := stageDir(o)
	if err := f.folder.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make output folder: %w", err)
	}
	room := folderQuota - f.used(taskDir(o), files)
	for _, op := range files {
		if why := spec.BadFileName(op.Name); why != "" || strings.HasPrefix(op.Name, stagePrefix) {
			return octopus.Errorf(octopus.CodeInvalid, "The file %q cannot be written under that name.", op.Name)
		}
		raw, err := op.FileBytes()
		if err != nil {
			return octopus.Errorf(octopus.CodeInvalid, "The file %q %s", op.Name, err)
		}
		if room -= int64(len(raw)); room < 0 {
			return octopus.Errorf(octopus.CodeTooLarge, "The files of this task would take more than %d MiB on the agent.", folderQuota>>20)
		}
		if err := disk.WriteFile(f.folder, dir+"/"+op.Name, raw); err != nil {
			return fmt.Errorf("write output file: %w", bare(err))
		}
	}
	// Each folder's name is in the one above: a file whose way from the top is not on the disk is lost with it.
	for _, name := range []string{dir, taskDir(o), "."} {
		if err := f.folder.SyncDir(name); err != nil {
			return fmt.Errorf("sync output folder: %w", bare(err))
		}
	}
	return nil
}

// used is how many bytes a folder holds, without the files that are about to be replaced.
func (f outputs) used(dir string, replaced []spec.Operation) (n int64) {
	entries, _ := f.folder.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			n += f.used(dir+"/"+entry.Name(), nil)
			continue
		}
		again := slices.ContainsFunc(replaced, func(op spec.Operation) bool { return entry.Name() == op.Name })
		if info, err := entry.Info(); err == nil && !again {
			n += info.Size()
		}
	}
	return n
}

// commit puts staged files in place. It may be called again.
func (f outputs) commit(o *wire.Offer) error {
	dir := stageDir(o)
	entries, err := f.folder.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read staged files: %w", err)
	}
	for _, entry := range entries {
		if err := f.folder.Rename(dir+"/"+entry.Name(), taskDir(o)+"/"+entry.Name()); err != nil {
			return fmt.Errorf("put output file in place: %w", err)
		}
	}
	if err := f.folder.SyncDir(taskDir(o)); err != nil {
		return fmt.Errorf("sync output folder: %w", err)
	}
	return disk.RemoveAll(f.folder, dir)
}

// discard removes staged files.
func (f outputs) discard(o *wire.Offer) {
	_ = disk.RemoveAll(f.folder, stageDir(o))
}

// lateResult is a result that the server did not want, as it is kept here for people.
type lateResult struct {
	Why    string      `json:"why"`
	Plugin string      `json:"plugin,omitempty"`
	Action string      `json:"action,omitempty"`
	Result wire.Result `json:"result"`
}

// late keeps a result as evidence. The oldest go first when there are too many.
func (f outputs) late(o *wire.Offer, e core.File) error {
	raw, err := json.MarshalIndent(lateResult{e.Why, o.Plugin, o.Action, e.Result}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode late result: %w", err)
	}
	if err := f.folder.MkdirAll(dirLate, 0o700); err != nil {
		return fmt.Errorf("keep late result: %w", err)
	}
	entries, err := f.folder.ReadDir(dirLate) // names begin with ULIDs: in order of creation
	for i := 0; err == nil && i <= len(entries)-lateFiles; i++ {
		_ = f.folder.Remove(dirLate + "/" + entries[i].Name())
	}
	name := dirLate + "/" + e.Key.Execution + "." + strconv.FormatInt(e.Key.Fence, 10) + ".json"
	file, err := f.folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("keep late result: %w", err)
	}
	defer file.Close()
	if _, err = file.Write(raw); err != nil {
		return fmt.Errorf("keep late result: %w", err)
	}
	return nil
}
