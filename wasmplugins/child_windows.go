package wasmplugins

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

func prepareCommand(cmd *exec.Cmd, _ bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.BELOW_NORMAL_PRIORITY_CLASS}
}

// networkNamespace: there are none.
func networkNamespace() string { return "" }

// runnerEnv is what Windows itself needs to start a program.
func runnerEnv() []string { return []string{"SystemRoot=" + os.Getenv("SystemRoot")} }

// jobObject kills its process when its last handle is closed, also when this
// process dies.
type jobObject windows.Handle

func (j jobObject) Close() error { return windows.CloseHandle(windows.Handle(j)) }

// jobMemory is the most that a runner may commit, in bytes.
const jobMemory = MaxMemory + 512<<20

// confine puts a runner, which waits for its set-up, into a job object.
func confine(pid int, log *slog.Logger) io.Closer {
	job, err := newJob(pid)
	if err != nil {
		log.Warn("a runner is not confined", "pid", pid, "error", err)
		return nil
	}
	return job
}

func newJob(pid int) (io.Closer, error) {
	handle, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("job object: %w", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE |
		windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS | windows.JOB_OBJECT_LIMIT_PROCESS_MEMORY |
		windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
	info.BasicLimitInformation.ActiveProcessLimit = 1
	info.ProcessMemoryLimit = jobMemory
	_, err = windows.SetInformationJobObject(handle, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		err = assign(handle, pid)
	}
	if err != nil {
		_ = windows.CloseHandle(handle)
		return nil, fmt.Errorf("job object: %w", err)
	}
	return jobObject(handle), nil
}

func assign(job windows.Handle, pid int) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(process) }()
	return windows.AssignProcessToJobObject(job, process)
}

// groupsExist: a job object does what control groups do.
const groupsExist = false
