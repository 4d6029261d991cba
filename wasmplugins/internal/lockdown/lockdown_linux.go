package lockdown

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// NetworkNamespace is a link that names the network namespace of a process.
const NetworkNamespace = "/proc/self/ns/net"

// maxCache is the largest file that a compile child may write, in bytes.
const maxCache = 512 << 20

// Enter is the first step, before anything hostile is read: limits, another
// user, no files but the folder, and a filter without network, programs and
// other processes. It returns the path by which the folder is still reached.
func (b *Box) Enter() (folder string, err error) {
	folder = b.c.Folder
	if err := b.parent(); err != nil {
		return folder, err
	}
	if b.c.Off || raceBuild {
		b.missing = append(b.missing, "the lock-down, which was switched off")
		return folder, nil
	}
	b.note(HasLimits, b.limits())
	if own, err := os.Readlink(NetworkNamespace); err == nil && b.c.Network != "" && own != b.c.Network {
		b.note(HasNetwork, nil) // one layer more: without it the filter has no sockets either
	}
	if folder != "" {
		if err := os.Chdir(folder); err != nil {
			return folder, fmt.Errorf("cache folder: %w", err)
		}
	}
	if os.Getuid() == 0 {
		b.note(HasUser, b.user())
		// The folder's parents are closed to that user; this link is not.
		folder = reach(folder)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		b.note("hidden memory", err)
	}
	if err := b.parent(); err != nil { // a change of user cleared it
		return folder, err
	}
	b.note(HasPrivilege, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	b.note(HasFiles, b.files(folder))
	if err := filter(loading(b.c.WriteFolder)); err != nil {
		b.note(HasFilter, err)
	} else if b.c.WriteFolder {
		b.note(HasFilter, nil)
	}
	return folder, nil
}

// Seal is the second step, when the module is ready to run: no files at all
// and no new executable memory.
func (b *Box) Seal() {
	if b.c.Off || raceBuild {
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{}); err != nil {
		b.note("no files to write", err)
	}
	b.note(HasFilter, filter(running()))
}

// parent asks for SIGKILL when the thread that started this process ends.
func (b *Box) parent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("parent-death signal: %w", err)
	}
	if b.c.Parent != 0 && os.Getppid() != b.c.Parent {
		return errors.New("the parent has ended")
	}
	return nil
}

func reach(folder string) string {
	const here = "/proc/self/cwd"
	if folder == "" {
		return ""
	}
	if _, err := os.Stat(here); err != nil {
		return folder
	}
	return here
}

// limits: not RLIMIT_AS, because Go reserves address space, and not
// RLIMIT_NPROC, because Go needs threads and root ignores it.
func (b *Box) limits() error {
	size := uint64(0)
	if b.c.WriteFolder {
		size = maxCache
	}
	var errs []error
	set := func(what int, soft, hard uint64) {
		errs = append(errs, unix.Setrlimit(what, &unix.Rlimit{Cur: soft, Max: hard}))
	}
	set(unix.RLIMIT_CORE, 0, 0)
	set(unix.RLIMIT_NOFILE, 64, 64)
	if b.c.WriteFolder {
		set(unix.RLIMIT_FSIZE, size, size)
	}
	if b.c.CPU > 0 {
		set(unix.RLIMIT_CPU, b.c.CPU, b.c.CPU+1)
	}
	if b.c.Data > 0 {
		data := b.c.Data + cgoStacks
		set(unix.RLIMIT_DATA, data, data)
	}
	errs = append(errs, unix.Setpriority(unix.PRIO_PROCESS, 0, 5))
	return errors.Join(errs...)
}

// user becomes somebody without rights. syscall changes all threads.
func (b *Box) user() error {
	if b.c.UID == 0 {
		return errors.New("running as root")
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(b.c.GID, b.c.GID, b.c.GID); err != nil {
		return err
	}
	return syscall.Setresuid(b.c.UID, b.c.UID, b.c.UID)
}

// files leaves one folder, or none.
func (b *Box) files(folder string) error {
	if v, err := ll.LandlockGetABIVersion(); err != nil || v < 1 {
		return errors.New("this kernel has no Landlock, or it is off at boot (lsm=)")
	}
	var rules []landlock.Rule
	if folder != "" && b.c.WriteFolder {
		rules = append(rules, landlock.RWDirs(folder))
	} else if folder != "" {
		rules = append(rules, landlock.RODirs(folder))
	}
	return landlock.V5.BestEffort().Restrict(rules...)
}

// HideMemory keeps other processes of the same user, runners among them, from
// reading this one's memory.
func HideMemory() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
