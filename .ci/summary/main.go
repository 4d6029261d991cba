// Summary runs `go test` with the given arguments and prints what it prints, but of a failed test first what the test
// itself said, then the rest. The last lines say what was skipped and why, and what failed and why. With OCTOPUS_CI=1 a
// test that was skipped for lack of a program fails the run.
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
	shared, err := os.MkdirTemp("", "octopus-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cmd.Env = append(os.Environ(), "OCTOPUS_TEST_SHARED="+shared) // see e2e/harness
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		os.RemoveAll(shared)
		fmt.Fprintln(os.Stderr, "go test:", err)
		os.Exit(1)
	}
	s := newSummary(os.Stdout)
	s.read(out)
	err = cmd.Wait()
	os.RemoveAll(shared)
	missing := s.print()
	if err != nil || missing && os.Getenv("OCTOPUS_CI") == "1" {
		os.Exit(1)
	}
}

// summary collects the output of tests until it is known whether they failed.
type summary struct {
	to      io.Writer
	outputs map[string][]string // by package and test; by package what is of none of its tests
	reasons map[string]int      // why tests were skipped
	failed  []failure
}

// failure is a test or a package that failed, and the lines in which it said why.
type failure struct {
	name string
	why  []string
}

func newSummary(to io.Writer) *summary {
	return &summary{to: to, outputs: map[string][]string{}, reasons: map[string]int{}}
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
			s.to.Write(line)
			continue
		}
		s.take(e)
	}
}

func (s *summary) take(e event) {
	key := strings.TrimSpace(e.Package + " " + e.Test)
	switch {
	case e.Action == "build-output":
		s.outputs[e.ImportPath] = append(s.outputs[e.ImportPath], e.Output)
		fmt.Fprint(s.to, e.Output)
	case e.Action == "build-fail":
		s.failed = append(s.failed, failure{e.ImportPath, last(s.outputs[e.ImportPath], whyLines)})
	case e.Action == "output":
		s.outputs[key] = append(s.outputs[key], e.Output)
		if e.Test == "" && e.Output != "PASS\n" {
			fmt.Fprint(s.to, e.Output)
		}
	case e.Action == "fail":
		s.fail(e, key)
	case e.Action == "skip" && e.Test != "":
		s.reasons[reason(s.outputs[key])]++
	}
	if e.Action == "fail" || e.Action == "skip" || e.Action == "pass" {
		delete(s.outputs, key)
	}
}

// fail prints a test that failed, and notes why. Of a package it notes only what none of its tests said: that it ended
// early, for one.
func (s *summary) fail(e event, key string) {
	output := s.outputs[key]
	if e.Test != "" {
		first, rest := arrange(output)
		fmt.Fprint(s.to, strings.Join(slices.Concat(first, rest), ""))
		s.failed = append(s.failed, failure{key, why(first)})
		return
	}
	if !slices.ContainsFunc(s.failed, func(f failure) bool { return f.of(e.Package) }) {
		s.failed = append(s.failed, failure{key, last(output, whyLines)})
	}
}

// of says whether a failure is of a package: of one of its tests, or of building it.
func (f failure) of(pkg string) bool {
	rest, ok := strings.CutPrefix(f.name, pkg)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '.' || rest[0] == '_')
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
		fmt.Fprintf(s.to, "SKIPPED: %s\n", strings.Join(parts, "; "))
	}
	if len(s.failed) > 0 {
		fmt.Fprintln(s.to, "FAILED:")
	}
	for _, f := range s.failed {
		if len(f.why) > 0 || !slices.ContainsFunc(s.failed, func(g failure) bool { return strings.HasPrefix(g.name, f.name+"/") }) {
			fmt.Fprintf(s.to, "  %s\n%s", f.name, strings.Join(f.why, ""))
		}
	}
	return missing
}
