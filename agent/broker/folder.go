package broker

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"octopus/sdk/spec"
)

// maxPath is the longest path that an operation takes, in bytes.
const maxPath = 4096

// place is where a path leads: a directory that grant and policy allow, and the way below it.
type place struct {
	root *os.Root
	rel  string // with forward slashes; "." is the root itself
	path string // as it was asked for
}

// place opens the directory that allows a path. What is opened through its root cannot lead out of it, whatever is
// renamed or linked meanwhile. The caller closes the root.
func (b *Broker) place(file string, write bool) (place, *Error) {
	if failure := checkPath(file); failure != nil {
		return place{}, failure
	}
	what := "reading " + file
	if write {
		what = "writing " + file
	}
	granted, rel, ok := allows(b.config.Grant.Files, file, write)
	if !ok {
		return place{}, b.notGranted(what)
	}
	owner, fromOwner, ok := allows(b.config.Policy.Files(), file, write)
	if !ok {
		return place{}, errorf("denied", "The owner of this agent does not allow %s. A policy file must name the directory under capabilities.files, with mode rw for writing (octopus agent --policy FILE).", what)
	}
	if b.private(file) {
		return place{}, errorf("denied", "%s belongs to the agent itself.", file)
	}
	root, err := os.OpenRoot(owner.Path)
	if err != nil {
		return place{}, fileError(owner.Path, err)
	}
	if below, inner := owner.Below(granted.Path); inner && below != "." {
		root, err = descend(root, below)
		if err != nil {
			return place{}, fileError(granted.Path, err)
		}
		return place{root, rel, file}, nil
	}
	return place{root, fromOwner, file}, nil
}

// allows finds the narrowest directory that a path is in.
func allows(list []spec.File, file string, write bool) (found spec.File, rel string, ok bool) {
	for _, f := range list {
		way, inside := f.Below(file)
		if !inside || write && !f.Writable() {
			continue
		}
		if !ok || len(way) < len(rel) {
			found, rel, ok = f, way, true
		}
	}
	return found, rel, ok
}

// private says whether a path is in the agent's own folder, also where a symbolic link leads there.
func (b *Broker) private(file string) bool {
	if b.config.Private == "" {
		return false
	}
	own := spec.File{Path: b.config.Private}
	if _, inside := own.Below(file); inside {
		return true
	}
	for dir := filepath.Clean(file); ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			_, inside := own.Below(real)
			return inside
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

func checkPath(file string) *Error {
	switch {
	case file == "":
		return invalid("path", "it is missing.")
	case len(file) > maxPath:
		return invalid("path", "it is over %d bytes.", maxPath)
	case strings.ContainsRune(file, 0):
		return invalid("path", "there is a NUL in it.")
	case !filepath.IsAbs(file):
		return invalid("path", "it must be absolute, as in %s.", example())
	case runtime.GOOS == "windows" && strings.Contains(file[2:], ":"):
		return invalid("path", "it names a stream of a file.")
	}
	return nil
}

func example() string {
	if runtime.GOOS == "windows" {
		return `C:\logs\app.log`
	}
	return "/var/log/syslog"
}

var errLink = errors.New("symbolic link")

// descend goes from a directory that the owner allows to one within it that was granted. A symbolic link on that way
// is not followed: what was granted is this directory, not where somebody makes its name lead. The root is closed.
func descend(root *os.Root, way string) (*os.Root, error) {
	for name := range strings.SplitSeq(way, "/") {
		next, err := step(root, name)
		root.Close()
		if err != nil {
			return nil, err
		}
		root = next
	}
	return root, nil
}

// step opens a directory by its name, and sees that it is the one that the name stood for and no link to it.
func step(root *os.Root, name string) (*os.Root, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if before.Mode()&fs.ModeSymlink != 0 {
		return nil, errLink
	}
	next, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	after, err := next.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = errLink
	}
	if err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// parent opens the directory of a file, so that several steps are about the same one.
func (p place) parent(make bool) (*os.Root, string, *Error) {
	if p.rel == "." {
		return nil, "", errorf("is_a_directory", "%s is a directory.", p.path)
	}
	dir, name := path.Split(p.rel)
	if dir = path.Clean(dir); make {
		if err := p.root.MkdirAll(dir, 0o755); err != nil {
			return nil, "", fileError(p.path, err)
		}
	}
	sub, err := p.root.OpenRoot(dir)
	if err != nil {
		return nil, "", fileError(p.path, err)
	}
	return sub, name, nil
}

// fileError puts a failure of the file system into words.
func fileError(file string, err error) *Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errorf("not_found", "There is no %s on this agent.", file)
	case errors.Is(err, errLink), strings.Contains(err.Error(), "escapes from parent"), errors.Is(err, syscall.ELOOP):
		return errorf("denied", "%s leads through a symbolic link out of the directory that is allowed.", file)
	case errors.Is(err, fs.ErrPermission):
		return errorf("denied", "The system user of this agent may not use %s.", file)
	case errors.Is(err, syscall.ENOTDIR):
		return errorf("not_found", "%s is not a directory, or is below something that is none.", file)
	case errors.Is(err, syscall.EISDIR):
		return errorf("is_a_directory", "%s is a directory.", file)
	case errors.Is(err, syscall.ENOSPC):
		return errorf("no_space", "There is no space left for %s.", file)
	}
	return errorf("io", "%s cannot be used: %s.", file, plain(err))
}
