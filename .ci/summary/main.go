// Summary runs `go test` with the given arguments and prints what it prints, then one line that says what was
// skipped and why. With OCTOPUS_CI=1 a test that was skipped for lack of a program fails the run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string
}

// installed are the programs that continuous integration has: a skip for lack of one is a failure there.
var installed = regexp.MustCompile(`(?i)postgres|chrom|nginx|gcc`)

// skipLine is where a test says why it skips: "    file_test.go:12: reason".
var skipLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.+)$`)

func main() {
	// Ctrl-C reaches the tests too; this program waits for them and reports.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)

	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go test:", err)
		os.Exit(1)
	}
	s := summary{outputs: map[string][]string{}, reasons: map[string]int{}}
	s.read(out)
	err = cmd.Wait()
	missing := s.print()
	if err != nil || missing && os.Getenv("OCTOPUS_CI") == "1" {
		os.Exit(1)
	}
}

// summary collects the output of tests until it is known whether they failed.
type summary struct {
	outputs map[string][]string // by package and test
	reasons map[string]int      // why tests were skipped
	failed  []string
}

func (s *summary) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			os.Stdout.Write(line)
			continue
		}
		s.take(e)
	}
}

func (s *summary) take(e event) {
	key := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Action == "output" && e.Test == "":
		if e.Output != "PASS\n" {
			fmt.Print(e.Output)
		}
	case e.Action == "output":
		s.outputs[key] = append(s.outputs[key], e.Output)
	case e.Test == "":
	case e.Action == "fail":
		s.failed = append(s.failed, key)
		fmt.Print(strings.Join(s.outputs[key], ""))
		delete(s.outputs, key)
	case e.Action == "skip":
		s.reasons[reason(s.outputs[key])]++
		delete(s.outputs, key)
	case e.Action == "pass":
		delete(s.outputs, key)
	}
}

// reason finds the sentence that a test skipped with.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if m := skipLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			return m[1]
		}
	}
	return "without a reason"
}

// print closes the run. It reports whether a test was skipped for lack of a program that CI has.
func (s *summary) print() (missing bool) {
	var parts []string
	for why, n := range s.reasons {
		parts = append(parts, fmt.Sprintf("%d × %s", n, why))
		missing = missing || installed.MatchString(why)
	}
	slices.Sort(parts)
	if len(parts) > 0 {
		fmt.Printf("SKIPPED: %s\n", strings.Join(parts, "; "))
	}
	if len(s.failed) > 0 {
		fmt.Printf("FAILED: %s\n", strings.Join(s.failed, "; "))
	}
	return missing
}
