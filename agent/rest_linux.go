package agent

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropCode unmaps the pages of the program's own file that only starting and working needed. They stay in the
// system's page cache and are mapped again when they are touched (madvise(2), MADV_DONTNEED). It leaves alone what
// can be written, and what was written once: a linker's relocations would be lost with the page.
func dropCode() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	var start, end uintptr // of the mapping that the lines speak of; end 0: not one to drop
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
		case !strings.HasSuffix(fields[0], ":"): // the head of a mapping
			end = 0
			if len(fields) == 6 && fields[5] == program && (fields[1] == "r-xp" || fields[1] == "r--p") {
				if _, err := fmt.Sscanf(fields[0], "%x-%x", &start, &end); err != nil {
					end = 0
				}
			}
		case fields[0] == "Anonymous:" && end > start && len(fields) == 3 && fields[1] == "0": // no page was written
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
			end = 0
		}
	}
}
