package bench

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a line of /proc/<pid>/stat.
type process struct {
	parent        int
	own, children time.Duration // CPU; children are those that have ended and were waited for
}

// costs adds up what has been used since the start of each process: of the server behind a loopback address, of the
// agents that are connected to it, and of their runners.
func costs(serverURL string) Costs {
	c := Costs{Client: ownCPU().Seconds()}
	server, ok := ServerPID(serverURL)
	if !ok {
		return c
	}
	all := processes()
	c.Server = all[server].own.Seconds()
	c.Runners = below(all, server).Seconds()
	for _, pid := range agentsOf(serverURL) {
		c.Agents += all[pid].own.Seconds()
		c.Runners += below(all, pid).Seconds()
	}
	return c
}

// below is the CPU of a process's descendants, living and ended.
func below(all map[int]process, pid int) time.Duration {
	sum := all[pid].children
	for child, p := range all {
		if p.parent == pid {
			sum += p.own + below(all, child)
		}
	}
	return sum
}

func ownCPU() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// processes reads what runs on this machine.
func processes() map[int]process {
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range files {
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2]) // the pattern says so
		if fields, err := statFields(pid); err == nil {
			parent, _ := strconv.Atoi(fields[1])
			all[pid] = process{parent: parent, own: ticks(fields[11], fields[12]), children: ticks(fields[13], fields[14])}
		}
	}
	return all
}

// statFields are those of /proc/<pid>/stat from the third on. The name in parentheses may hold spaces: fields are
// counted from its end.
func statFields(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

func ticks(user, system string) time.Duration {
	u, _ := strconv.ParseInt(user, 10, 64) // the kernel writes numbers
	s, _ := strconv.ParseInt(system, 10, 64)
	return time.Duration(u+s) * time.Second / ticksPerSecond
}

// agentsOf are the processes called as `octopus agent …` that have a connection to the port of a server.
func agentsOf(serverURL string) (pids []int) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return nil
	}
	sockets := connectedTo(port)
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range commands {
		raw, err := os.ReadFile(file)
		if words := bytes.Split(raw, []byte{0}); err != nil || len(words) < 2 || string(words[1]) != "agent" {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && sockets[target] {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// connectedTo are the sockets whose other end is a TCP port, as /proc/<pid>/fd names them.
func connectedTo(port int) map[string]bool {
	found := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, _ := os.ReadFile(table) // absent without that protocol
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "01" { // ESTABLISHED
				continue
			}
			_, portHex, _ := strings.Cut(f[2], ":")
			if b, err := hex.DecodeString(portHex); err == nil && len(b) == 2 && int(b[0])<<8|int(b[1]) == port {
				found["socket:["+f[9]+"]"] = true
			}
		}
	}
	return found
}
