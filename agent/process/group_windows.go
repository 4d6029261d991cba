package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a job object, which also ends with this process. The program begins suspended, so that nothing that it
// starts is outside.
type group struct{ job windows.Handle }

func (g *group) hold(p *os.Process) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return fmt.Errorf("job object: %w", err)
	}
	g.job = job
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		err = assign(job, p.Pid)
	}
	if err == nil {
		err = resume(p.Pid)
	}
	if err != nil {
		g.release()
		return fmt.Errorf("job object: %w", err)
	}
	return nil
}

func assign(job windows.Handle, pid int) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(process) }()
	return windows.AssignProcessToJobObject(job, process)
}

// resume lets the program's only thread run.
func resume(pid int) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(snapshot) }()
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != uint32(pid) {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return err
		}
		defer func() { _ = windows.CloseHandle(thread) }()
		_, err = windows.ResumeThread(thread)
		return err
	}
	return err
}

func (g *group) kill() { _ = windows.TerminateJobObject(g.job, 1) }

// ask has no counterpart for a program without a window or console.
func (g *group) ask() {}

func (g *group) release() {
	if g.job != 0 {
		_ = windows.CloseHandle(g.job)
		g.job = 0
	}
}

func prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_SUSPENDED}
}

// awaitExit waits for the end of a process and leaves it to be waited for.
func awaitExit(p *os.Process) {
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(p.Pid))
	if err != nil {
		return // it is gone
	}
	defer func() { _ = windows.CloseHandle(process) }()
	_, _ = windows.WaitForSingleObject(process, windows.INFINITE)
}

func rootDir() string { return filepath.VolumeName(os.Getenv("SystemRoot")) + `\` }

// baseEnv is what Windows itself needs to start a program.
func baseEnv() []string {
	root := os.Getenv("SystemRoot")
	return []string{"SystemRoot=" + root, "PATH=" + filepath.Join(root, "System32") + ";" + root +
		";" + filepath.Join(root, `System32\WindowsPowerShell\v1.0`), "PATHEXT=.COM;.EXE;.BAT;.CMD", "TEMP=" + os.TempDir(), "TMP=" + os.TempDir()}
}

func signalOf(*os.ProcessState) string { return "" }
