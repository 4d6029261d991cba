package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// feed gives a summary what go test -json says of one test that failed, and returns what it prints.
func feed(t *testing.T, lines ...string) string {
	t.Helper()
	var in strings.Builder
	say := func(e event) {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&in, "%s\n", raw)
	}
	for _, line := range slices.Concat([]string{"=== RUN   TestX", "=== PAUSE TestX", "=== CONT  TestX"}, lines, []string{"--- FAIL: TestX (1.00s)"}) {
		say(event{Action: "output", Package: "p", Test: "TestX", Output: line + "\n"})
	}
	say(event{Action: "fail", Package: "p", Test: "TestX"})
	say(event{Action: "output", Package: "p", Output: "FAIL\tp\t1.0s\n"})
	say(event{Action: "fail", Package: "p"})
	var out strings.Builder
	s := newSummary(&out)
	s.read(strings.NewReader(in.String()))
	s.print()
	return out.String()
}

func many(n int, text string) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("        %s %d", text, i))
	}
	return lines
}

// TestOwnWordsComeFirst: what a test said is within the first lines, before the logs of processes and whatever else was
// printed before it; of a log remain the last lines; and the end of the run repeats what was said.
func TestOwnWordsComeFirst(t *testing.T) {
	out := feed(t, slices.Concat(
		[]string{"    process.go:56: server printed:"}, many(300, "line"),
		[]string{"    x_test.go:7: not within 60 s: agent web-01 is online", "    world.go:9: and this"},
	)...)
	want := "=== RUN   TestX\n    x_test.go:7: not within 60 s: agent web-01 is online\n    process.go:56: server printed:\n        … 260 lines …\n        line 260\n"
	if !strings.HasPrefix(out, want) {
		t.Errorf("it begins:\n%.400s", out)
	}
	if !strings.HasSuffix(out, "        line 299\n    world.go:9: and this\n--- FAIL: TestX (1.00s)\nFAIL\tp\t1.0s\nFAILED:\n  p TestX\n    x_test.go:7: not within 60 s: agent web-01 is online\n") {
		t.Errorf("it ends:\n%s", out[max(0, len(out)-400):])
	}
}

// TestScriptsSayWhere: of a script that failed come first its line and what its last command printed.
func TestScriptsSayWhere(t *testing.T) {
	out := feed(t, slices.Concat(
		[]string{"    testscript.go:584: # Beginnings (0.1s)"}, many(100, "> exits 0 octopus"),
		[]string{"        > exits 0 octopus run echo", "        [stderr]", "        octopus: no", "        FAIL: testdata/run.txtar:3: exit code 3, want 0"},
	)...)
	lines := strings.Split(out, "\n")
	if lines[1] != "        FAIL: testdata/run.txtar:3: exit code 3, want 0" || !slices.Contains(lines[:16], "        octopus: no") {
		t.Errorf("it begins:\n%s", strings.Join(lines[:16], "\n"))
	}
	if !strings.Contains(out[strings.Index(out, "FAILED:"):], "run.txtar:3") {
		t.Errorf("it ends:\n%s", out[strings.Index(out, "FAILED:"):])
	}
}

// TestCrashesComeWhole: a panic is within the first lines, and all of it follows.
func TestCrashesComeWhole(t *testing.T) {
	out := feed(t, slices.Concat([]string{"    x_test.go:7: it begins", "panic: boom", "", "goroutine 7 [running]:"}, many(50, "frame"))...)
	lines := strings.Split(out, "\n")
	if lines[2] != "panic: boom" || !strings.Contains(out, "frame 49\n") {
		t.Errorf("it begins:\n%s", strings.Join(lines[:8], "\n"))
	}
}

// TestFirstIsShort: however much a test says, the first thirty lines hold its beginning and its end.
func TestFirstIsShort(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("    x_test.go:7: number %d", i), "        more of it")
	}
	first, _ := arrange(append([]string{"=== RUN   TestX"}, lines...))
	if len(first) > 30 || first[1] != lines[0] || first[len(first)-2] != lines[len(lines)-2] {
		t.Errorf("%d lines: %q", len(first), first)
	}
}

// TestPackagesThatEndEarly are named, with the last that they said; those of which a test failed are not named twice.
func TestPackagesThatEndEarly(t *testing.T) {
	var out strings.Builder
	s := newSummary(&out)
	for _, e := range []event{
		{Action: "build-output", ImportPath: "p [p.test]", Output: "p/a.go:1: no\n"},
		{Action: "build-fail", ImportPath: "p [p.test]"},
		{Action: "fail", Package: "p"},
		{Action: "output", Package: "q", Output: "exit status 3\n"},
		{Action: "fail", Package: "q"},
		{Action: "output", Package: "r", Test: "TestY/s", Output: "    r_test.go:1: no\n"},
		{Action: "fail", Package: "r", Test: "TestY/s"},
		{Action: "fail", Package: "r", Test: "TestY"},
		{Action: "fail", Package: "r"},
	} {
		s.take(e)
	}
	out.Reset()
	s.print()
	if want := "FAILED:\n  p [p.test]\np/a.go:1: no\n  q\nexit status 3\n  r TestY/s\n    r_test.go:1: no\n"; out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}
