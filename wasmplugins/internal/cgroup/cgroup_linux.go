package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The files of a group that are used, as in the kernel's Documentation/admin-guide/cgroup-v2.rst.
const (
	fileProcs       = "cgroup.procs"
	fileControllers = "cgroup.controllers"
	fileSubtree     = "cgroup.subtree_control"
	fileType        = "cgroup.type" // not in the root
	fileKill        = "cgroup.kill"
	fileMemory      = "memory.max"
	fileSwap        = "memory.swap.max" // not where the kernel counts no swap
	fileEvents      = "memory.events"
	fileThreads     = "pids.max"
)

// poolPrefix begins the name of the folder that a pool's groups are in. A lock on that folder says that the pool lives.
const poolPrefix = "octopus-pool-"

// opening is held while this process may be moved: pools of one process may start side by side.
var opening sync.Mutex

// Groups makes a group for each runner of a pool. Its methods may be called from any goroutine.
type Groups struct {
	dir  string   // static
	lock *os.File // owned by Close
	next atomic.Int64
}

// Open makes room for groups, and removes what pools that are no more left behind. The error says, for people, why
// this process may not; it may have been moved into the group Own all the same.
func Open() (*Groups, error) {
	opening.Lock()
	defer opening.Unlock()
	own, err := ownGroup()
	if err != nil {
		return nil, err
	}
	return open(own)
}

func open(own string) (*Groups, error) {
	base, err := given(own)
	if err != nil {
		return nil, err
	}
	sweep(base)
	if err := pass(base); err != nil {
		return nil, err
	}
	g := &Groups{}
	if g.dir, g.lock, err = claim(base); err != nil {
		return nil, err
	}
	if err := pass(g.dir); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// Close removes what New made, and whatever still runs in it.
func (g *Groups) Close() {
	if g == nil {
		return
	}
	remove(g.dir)
	_ = g.lock.Close()
}

// New makes an empty group.
func (g *Groups) New(l Limits) (*Group, error) {
	if g == nil {
		return nil, nil
	}
	c := &Group{dir: filepath.Join(g.dir, strconv.FormatInt(g.next.Add(1), 10))}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	err := c.Limit(l.Memory)
	for name, value := range map[string]string{fileSwap: "0", fileThreads: strconv.Itoa(l.Threads)} {
		if problem := write(c.dir, name, value); problem != nil && !errors.Is(problem, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("%w: %w", ErrRefused, problem))
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Group is one control group. A nil one holds nobody to anything.
type Group struct{ dir string }

// Limit sets how much memory the group may have, in bytes. What has more and cannot give it back is killed.
func (g *Group) Limit(memory uint64) error {
	if err := write(g.dir, fileMemory, strconv.FormatUint(memory, 10)); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// Add moves a process in. What it had touched before that counts where it was.
func (g *Group) Add(pid int) error {
	if g == nil {
		return nil
	}
	if err := write(g.dir, fileProcs, strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// Starved says whether the kernel killed a process of the group for want of memory.
func (g *Group) Starved() bool {
	if g == nil {
		return false
	}
	raw, _ := os.ReadFile(filepath.Join(g.dir, fileEvents))
	for line := range strings.Lines(string(raw)) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(count) != "0"
		}
	}
	return false
}

// Close removes the group. Its processes have ended.
func (g *Group) Close() {
	if g != nil {
		remove(g.dir)
	}
}

// ownGroup is the folder of the group that this process is in.
func ownGroup() (string, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", errors.New("/proc is not there to say which control group this process is in")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", errors.New("/proc is not there to say where control groups are")
	}
	return locate(string(groups), string(mounts))
}

// locate finds a process's group among the mounts, both as /proc has them (cgroups(7), proc_pid_mountinfo(5)).
func locate(groups, mounts string) (string, error) {
	own := ""
	for line := range strings.Lines(groups) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			own = strings.TrimSuffix(strings.TrimSuffix(path, "\n"), " (deleted)")
		}
	}
	if own == "" {
		return "", errors.New("this system has no control groups of version 2")
	}
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !strings.HasPrefix(after, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		root, point := fields[3], fields[4]
		if rest, ok := strings.CutPrefix(own, strings.TrimSuffix(root, "/")); ok && (rest == "" || rest[0] == '/') {
			return filepath.Join(point, rest), nil
		}
	}
	return "", errors.New("control groups of version 2 are not mounted where this process could see its own")
}

// given is the group that this process was given to divide, with the process out of the way.
func given(own string) (string, error) {
	if filepath.Base(own) == Own {
		if base := filepath.Dir(own); delegated(base) == nil {
			return base, controls(base)
		}
	}
	if err := delegated(own); err != nil {
		return "", err
	}
	if err := controls(own); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(own, fileType)); errors.Is(err, fs.ErrNotExist) {
		return own, nil // the root may have members
	}
	members, err := os.ReadFile(filepath.Join(own, fileProcs))
	if err != nil {
		return "", reason(err)
	}
	if strings.TrimSpace(string(members)) != strconv.Itoa(os.Getpid()) {
		return "", fmt.Errorf("other processes are in its control group %s: start it as a service, or with systemd-run", own)
	}
	aside := filepath.Join(own, Own)
	if err := os.Mkdir(aside, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", reason(err)
	}
	return own, reason(write(aside, fileProcs, "0"))
}

// delegated says why a group is not this process's to divide. Who is not root can write only to what was handed over;
// root asks systemd's marks, where that rules.
func delegated(dir string) error {
	if err := unix.Access(filepath.Join(dir, fileSubtree), unix.W_OK); err != nil {
		return reason(&fs.PathError{Op: "write", Path: dir, Err: err})
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	for _, mark := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(dir, mark, value); err == nil && string(value[:n]) == "1" {
			return nil
		}
	}
	return fmt.Errorf("systemd has not delegated the control group %s: the service needs Delegate=memory pids", dir)
}

// controls says whether a group may limit memory.
func controls(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, fileControllers))
	if err != nil {
		return reason(err)
	}
	if !slices.Contains(strings.Fields(string(raw)), "memory") {
		return fmt.Errorf("the control group %s has no memory controller (version 1 has it, it is off at boot, or it was not delegated)", dir)
	}
	return nil
}

// pass lets the groups below a group have limits.
func pass(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, fileControllers))
	if err != nil {
		return reason(err)
	}
	on := "+memory"
	if slices.Contains(strings.Fields(string(raw)), "pids") {
		on += " +pids"
	}
	return reason(write(dir, fileSubtree, on))
}

// claim makes the folder of a pool and locks it. Somebody who sweeps may take it away before it is locked.
func claim(base string) (string, *os.File, error) {
	for range 3 {
		dir, err := os.MkdirTemp(base, poolPrefix)
		if err != nil {
			return "", nil, reason(err)
		}
		if lock, err := hold(dir); err == nil {
			if _, err := os.Stat(dir); err == nil {
				return dir, lock, nil
			}
			_ = lock.Close()
		}
	}
	return "", nil, fmt.Errorf("control groups in %s are taken away as soon as they are made", base)
}

// hold locks a folder for as long as the file is open and this process lives.
func hold(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes the folders of pools whose process has gone.
func sweep(base string) {
	found, _ := filepath.Glob(filepath.Join(base, poolPrefix+"*")) // the pattern is a good one
	for _, dir := range found {
		if lock, err := hold(dir); err == nil {
			remove(dir)
			_ = lock.Close()
		}
	}
}

// removeIn is how long a group may take to become empty after its processes were killed.
const removeIn = time.Second

// remove ends what runs in a group and removes it with the groups in it. What cannot be removed is swept later.
func remove(dir string) {
	if os.Remove(dir) == nil {
		return
	}
	_ = write(dir, fileKill, "1") // from Linux 5.14 on
	below, _ := os.ReadDir(dir)
	for _, e := range below {
		if e.IsDir() {
			remove(filepath.Join(dir, e.Name()))
		}
	}
	for end := time.Now().Add(removeIn); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err := os.Remove(dir); err == nil || !errors.Is(err, unix.EBUSY) {
			return
		}
	}
}

func write(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// reason turns an error of the file system into a phrase for people.
func reason(err error) error {
	var at *fs.PathError
	switch {
	case err == nil || !errors.As(err, &at):
		return err
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the control group %s may only be read", at.Path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the control group %s belongs to somebody else", at.Path)
	}
	return fmt.Errorf("the control group %s: %w", at.Path, at.Err)
}
