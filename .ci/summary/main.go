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

// installed are the programs that continuous integration has, and the mark of tests that lack anything else that it
// has: such a skip is a failure there.
var installed = regexp.MustCompile(`(?i)^SKIPPED:|postgres|chrom|nginx|gcc|shellcheck`)

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
	failed  []failure
}

// failure is a test that failed, and the first lines in which it said why.
type failure struct {
	test string
	why  []string
}

// whyLines is how many lines of a failed test the end of the run repeats.
const whyLines = 5

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
		s.failed = append(s.failed, failure{key, why(s.outputs[key])})
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

// why finds the first lines of a failed test that are not go test's own.
func why(output []string) []string {
	said := slices.DeleteFunc(slices.Clone(output), func(line string) bool {
		line = strings.TrimSpace(line)
		return strings.HasPrefix(line, "===") || strings.HasPrefix(line, "--- ")
	})
	return said[:min(len(said), whyLines)]
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
		fmt.Println("FAILED:")
	}
	for _, f := range s.failed {
		fmt.Printf("  %s\n%s\n", f.test, strings.TrimRight(strings.Join(f.why, ""), "\n"))
	}
	return missing
}
