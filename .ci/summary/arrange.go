package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// How much of a failed test is shown where: its own words come first and are few, logs of processes come after them.
const (
	firstLines = 27 // of the test's own words
	entryLines = 12 // of one of them
	crashLines = 16 // of a stack or of a race
	logLines   = 40 // of what a process printed, its last ones
	whyLines   = 6  // that the end of the run repeats
)

var (
	// entryLine begins what a test logged: "    file_test.go:12: text". What goes on is indented further.
	entryLine = regexp.MustCompile(`^ {4}(\S+\.go):\d+: `)
	// scriptLine is where testscript says which line of a script failed.
	scriptLine = regexp.MustCompile(`^\s*FAIL: \S+:\d+: `)
	// printed begins the log of a process, which a test shows when it has failed.
	printed = regexp.MustCompile(` (printed|said):\n$`)
	// crash begins what the runtime says.
	crash = regexp.MustCompile(`^(panic: |fatal error: |WARNING: DATA RACE)`)
	// frame is what go test says around it all.
	frame = regexp.MustCompile(`^\s*(=== |--- )`)
)

// arrange splits the output of a failed test into what is to be read first, at most some two dozen lines, and all of it
// without what only takes room.
func arrange(output []string) (first, rest []string) {
	var said []string
	entries := split(output)
	for _, e := range entries {
		said = append(said, own(e)...)
	}
	if n := len(said); n > firstLines {
		said = slices.Concat(said[:firstLines/3], leftOut(n-firstLines), said[n-firstLines*2/3:])
	}
	for i, e := range entries {
		switch {
		case i == 0 && strings.HasPrefix(e[0], "=== RUN"):
			first = append(first, e[0])
		case strings.HasPrefix(e[0], "=== "), len(said) > 0 && len(e) <= entryLines && own(e) != nil && contains(said, e):
		default:
			rest = append(rest, shorten(e, 1, logLines)...)
		}
	}
	return append(first, said...), rest
}

// split cuts an output into entries: what a test logged at once, or one line of anything else, but all that follows a
// crash.
func split(output []string) (entries [][]string) {
	within := regexp.MustCompile(`^$`)
	for _, line := range output {
		last := len(entries) - 1
		switch {
		case crash.MatchString(line):
			within = regexp.MustCompile(`^[^-=]|^=+$`)
		case last >= 0 && !entryLine.MatchString(line) && within.MatchString(line):
			entries[last] = append(entries[last], line)
			continue
		case entryLine.MatchString(line):
			within = regexp.MustCompile(`^(\s{8}|\s*$)`)
		default:
			within = regexp.MustCompile(`^$`)
		}
		entries = append(entries, []string{line})
	}
	return entries
}

// own is what of an entry is to be read first: where a script failed and what its last command printed, what a file of
// tests said, a crash.
func own(e []string) []string {
	if i := slices.IndexFunc(e, scriptLine.MatchString); i >= 0 {
		return append([]string{e[i]}, last(e[:i], entryLines)...)
	}
	if crash.MatchString(e[0]) {
		return e[:min(len(e), crashLines)]
	}
	m := entryLine.FindStringSubmatch(e[0])
	if m == nil || !strings.HasSuffix(m[1], "_test.go") || printed.MatchString(e[0]) {
		return nil
	}
	return shorten(e, entryLines/2, entryLines/2)
}

// contains says whether the lines of an entry follow one another in all.
func contains(all, e []string) bool {
	for i := range all {
		if i+len(e) <= len(all) && slices.Equal(all[i:i+len(e)], e) {
			return true
		}
	}
	return false
}

// shorten keeps the first and the last lines.
func shorten(lines []string, head, tail int) []string {
	if len(lines) <= head+tail+1 {
		return lines
	}
	return slices.Concat(lines[:head], leftOut(len(lines)-head-tail), lines[len(lines)-tail:])
}

func leftOut(n int) []string { return []string{fmt.Sprintf("        … %d lines …\n", n)} }

func last(lines []string, n int) []string { return lines[max(len(lines)-n, 0):] }

// why is what the end of the run repeats of it.
func why(first []string) []string {
	said := slices.DeleteFunc(slices.Clone(first), frame.MatchString)
	return said[:min(len(said), whyLines)]
}
