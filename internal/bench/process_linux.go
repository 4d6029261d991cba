package bench

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for what /proc shows.
const ticksPerSecond = 100

// ServerPID finds the process on this machine that listens at a loopback URL; false where it is another machine or
// another user's process.
func ServerPID(serverURL string) (int, bool) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return 0, false
	}
	port, err := strconv.Atoi(u.Port())
	if ip := net.ParseIP(u.Hostname()); err != nil || (u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return 0, false
	}
	inode := listener(port)
	if inode == "" {
		return 0, false
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, false
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			return pid, err == nil
		}
	}
	return 0, false
}

// listener returns the inode of the socket that listens on a TCP port, "" when there is none.
func listener(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(bytes.NewReader(raw))
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			if len(f) < 10 || f[3] != "0A" { // LISTEN
				continue
			}
			_, portHex, _ := strings.Cut(f[1], ":")
			if b, err := hex.DecodeString(portHex); err == nil && len(b) == 2 && int(b[0])<<8|int(b[1]) == port {
				return f[9]
			}
		}
	}
	return ""
}

// usage reads a process's resident memory in bytes and the CPU time it has used.
func usage(pid int) (resident int64, cpu time.Duration, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			resident = kb << 10
		}
	}
	fields, err := statFields(pid)
	if err != nil {
		return 0, 0, err
	}
	return resident, ticks(fields[11], fields[12]), nil
}
