package cgroup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// children are what the test binary can be when a test starts it. Each begins when its standard input has a line.
var children = map[string]func(){
	"memory": func() { // that RLIMIT_DATA does not count
		b, err := unix.Mmap(-1, 0, 512<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
	},
	"threads": func() {
		runs := make(chan struct{})
		for range 200 {
			go func() {
				runtime.LockOSThread() // and so has one of its own
				runs <- struct{}{}
				select {}
			}()
		}
		for range 200 {
			<-runs
		}
	},
	"holder": func() { // until it is killed
		g, err := Open()
		if err == nil {
			_, err = g.New(Limits{Memory: 64 << 20, Threads: 100})
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(g.dir)
		_, _ = io.Copy(io.Discard, os.Stdin)
	},
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && children[os.Args[1]] != nil {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		children[os.Args[1]]()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestLocate(t *testing.T) {
	t.Parallel()
	const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	const hybrid = "34 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n42 23 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	for name, c := range map[string]struct{ groups, mounts, want string }{
		"service":       {"0::/system.slice/octopus-agent.service\n", v2, "/sys/fs/cgroup/system.slice/octopus-agent.service"},
		"root":          {"0::/\n", v2, "/sys/fs/cgroup"},
		"hybrid":        {"5:memory:/a\n1:name=systemd:/b\n0::/c\n", hybrid, "/sys/fs/cgroup/unified/c"},
		"part of it":    {"0::/pod/one/two\n", "1 1 0:1 /pod/one /groups rw - cgroup2 none rw\n", "/groups/two"},
		"of a stranger": {"0::/pod/onetwo\n", "1 1 0:1 /pod/one /groups rw - cgroup2 none rw\n", ""},
		"version 1":     {"5:memory:/a\n", hybrid, ""},
		"not mounted":   {"0::/a\n", "34 23 0:29 / / rw - ext4 /dev/root rw\n", ""},
		"removed":       {"0::/a (deleted)\n", v2, "/sys/fs/cgroup/a"},
	} {
		got, err := locate(c.groups, c.mounts)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What was not given is not touched, and the reason is one for people.
func TestRefusals(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/run/systemd/system"); err == nil && os.Geteuid() == 0 {
		t.Skip("systemd's marks decide for root, and these folders have none")
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no group": {nil, "cgroup"},
		"no memory": {map[string]string{fileSubtree: "", fileControllers: "cpu pids", fileType: "domain", fileProcs: fmt.Sprintln(os.Getpid())},
			"no memory controller"},
		"company": {map[string]string{fileSubtree: "", fileControllers: "cpu memory", fileType: "domain", fileProcs: fmt.Sprintf("%d\n%d\n", 1, os.Getpid())},
			"other processes"},
	} {
		dir := filepath.Join(t.TempDir(), "cgroup")
		for file, text := range c.files {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if g, err := open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, g, err)
		}
		if _, err := os.Stat(filepath.Join(dir, Own)); err == nil {
			t.Errorf("%s: a group was made", name)
		}
	}
}

// allowed opens groups, or says why this machine has none for a test.
func allowed(t *testing.T) *Groups {
	t.Helper()
	g, err := Open()
	if err != nil {
		t.Skipf("no control groups here: %v", err)
	}
	t.Cleanup(g.Close)
	return g
}

func TestLimits(t *testing.T) {
	g := allowed(t)
	for _, c := range []struct {
		child   string
		limits  Limits
		starved bool
		fails   bool
	}{
		{"memory", Limits{Memory: 128 << 20, Threads: 100}, true, true},
		{"memory", Limits{Memory: 1 << 30, Threads: 100}, false, false},
		{"threads", Limits{Memory: 1 << 30, Threads: 50}, false, true},
		{"threads", Limits{Memory: 1 << 30, Threads: 1000}, false, false},
	} {
		one, err := g.New(c.limits)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], c.child)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := one.Add(cmd.Process.Pid); err != nil {
			t.Error(err)
		}
		io.WriteString(in, "go\n")
		err = cmd.Wait()
		if (err != nil) != c.fails || one.Starved() != c.starved {
			t.Errorf("%s with %+v: %v, starved %t", c.child, c.limits, err, one.Starved())
		}
		one.Close()
		if _, err := os.Stat(one.dir); err == nil {
			t.Errorf("%s is still there", one.dir)
		}
	}
	var none *Group
	if none.Close(); none.Add(1) != nil || none.Starved() {
		t.Error("no group does something")
	}
}

// What a killed process left is removed by the next one, and nothing of one that lives.
func TestLeftovers(t *testing.T) {
	g := allowed(t)
	cmd := exec.Command(os.Args[0], "holder")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, "go\n")
	line, err := bufio.NewReader(out).ReadString('\n')
	dir := strings.TrimSpace(line)
	if err != nil || filepath.Dir(dir) != filepath.Dir(g.dir) {
		t.Fatalf("the other pool is in %q, %v", dir, err)
	}
	sweep(filepath.Dir(dir))
	for _, alive := range []string{dir, filepath.Join(dir, "1"), g.dir} {
		if _, err := os.Stat(alive); err != nil {
			t.Errorf("of one that lives: %v", err)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	other := allowed(t)
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
	if other.dir == g.dir {
		t.Error("two pools in one folder")
	}
}
