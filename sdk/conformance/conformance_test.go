package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/toolchain"
	"octopus/wasmplugins/trial"
)

// TestMain lets the test binary be its own runner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// golden is one case: what goes in, what the sample asks of the host, and what must come out. Numbers are compared as
// numbers, members of objects in any order.
type golden struct {
	name string

	// Request is the request, Raw one that is not sound JSON.
	Request json.RawMessage `json:"request"`
	Raw     string          `json:"raw"`
	Fakes   spec.Fakes      `json:"fakes"`
	// Cancelled says that somebody has asked the execution to end.
	Cancelled bool `json:"cancelled"`

	Calls    []hostCall      `json:"calls"`
	Log      []string        `json:"log"`
	Progress [][2]any        `json:"progress"`
	Response json.RawMessage `json:"response"`
	// FreeMessage leaves the words to the SDK.
	FreeMessage bool `json:"free_message"`
	// Except names SDKs whose language has a JSON parser that takes more than JSON.
	Except []string `json:"except"`
}

type hostCall struct {
	Op      string          `json:"op"`
	Request json.RawMessage `json:"request"`
}

func goldens(t *testing.T) []golden {
	t.Helper()
	files, err := filepath.Glob("cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var all []golden
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		g := golden{name: strings.TrimSuffix(filepath.Base(file), ".json")}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&g); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, g)
	}
	return all
}

// recorder keeps what a guest asked of the host.
type recorder struct {
	wasmplugins.Broker

	mu    sync.Mutex
	calls []hostCall // guarded by mu
}

func (r *recorder) Call(ctx context.Context, op string, req []byte) ([]byte, error) {
	r.mu.Lock()
	r.calls = append(r.calls, hostCall{op, slices.Clone(req)})
	r.mu.Unlock()
	return r.Broker.Call(ctx, op, req)
}

// TestSDKs gives every SDK's sample the same requests and wants the same of each, in the sandbox that agents use.
func TestSDKs(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	all := goldens(t)
	for _, lang := range []string{"go", goCommand, "c", "plain", "rust", "assemblyscript", "javascript"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			module := build(t, lang)
			pool := sandbox(t, module)
			ran := 0
			for _, g := range all {
				if (g.name == "plain") == (lang == "plain") && !slices.Contains(g.Except, strings.Fields(lang)[0]) {
					g.run(t, pool, wasmplugins.Digest(module))
					ran++
				}
			}
			t.Logf("%d cases, %d bytes", ran, len(module))
		})
	}
}

// goCommand is the sample in Go as a program, which is what "go build" makes where nobody asks for a reactor.
const goCommand = "go as a command"

func buildCommand(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "sample.wasm")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.Join("samples", "go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := wasmplugins.Check(module, wasmplugins.DefaultMemory); err != nil || info.Reactor {
		t.Fatalf("%+v, %v", info, err)
	}
	return module
}

// build compiles a sample as an author would.
func build(t *testing.T, lang string) []byte {
	t.Helper()
	if lang == goCommand {
		return buildCommand(t)
	}
	dir := filepath.Join("samples", lang)
	if lang != "go" { // whose sample is a package of this module
		dir = withSDK(t, lang)
	}
	language, ok := toolchain.Detect(dir)
	if !ok {
		t.Fatalf("%s holds no plugin", dir)
	}
	out := filepath.Join(t.TempDir(), "sample.wasm")
	err := language.Compile(t.Context(), dir, out)
	var missing *toolchain.Missing
	var failed *toolchain.Failed
	switch {
	case errors.As(err, &missing) && os.Getenv("OCTOPUS_CI") == "":
		t.Skip(missing)
	case errors.As(err, &failed):
		t.Fatalf("%v\n%s", err, failed.Said)
	case err != nil:
		t.Fatal(err)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := wasmplugins.Check(module, wasmplugins.DefaultMemory); err != nil || info.Snapshot != (lang == "go") {
		t.Fatalf("%+v, %v", info, err)
	}
	return module
}

// withSDK copies a sample and the SDK's one file into a folder.
func withSDK(t *testing.T, lang string) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join("samples", lang, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, map[string][]string{
		"c": {"../c/octopus.h"}, "rust": {"../rust/octopus.rs"}, "assemblyscript": {"../assemblyscript/octopus.ts"},
	}[lang]...)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// program is what runs runners: what the Makefile built without the race detector, or this test itself.
func program() string {
	if built := os.Getenv("OCTOPUS_TEST_BINARY"); built != "" {
		return built
	}
	return os.Args[0]
}

func sandbox(t *testing.T, module []byte) *wasmplugins.Pool {
	t.Helper()
	dir, err := filepath.Abs("../../.cache/sandbox-test")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: dir, Executable: []string{program(), "runner"}, MaxRunners: 1,
		Load: func(context.Context, string) ([]byte, error) { return module, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// run plays one case.
func (g golden) run(t *testing.T, pool *wasmplugins.Pool, digest string) {
	t.Helper()
	request := []byte(g.Raw)
	if len(request) == 0 {
		var compact bytes.Buffer // as a host writes it
		if err := json.Compact(&compact, g.Request); err != nil {
			t.Fatal(err)
		}
		request = compact.Bytes()
	}
	asked := &recorder{Broker: trial.NewBroker(g.Fakes)}
	var log []string
	var last [][2]any
	job := wasmplugins.Job{
		Digest: digest, Request: request, Timeout: time.Minute,
		OnLog: func(batch []wasmplugins.LogLine) {
			for _, l := range batch {
				log = append(log, l.Text)
			}
		},
		OnProgress: func(fraction float64, message string) { last = append(last, [2]any{fraction, message}) },
	}
	if g.Cancelled {
		cancelled := make(chan struct{})
		close(cancelled)
		job.Cancelled = cancelled
	}
	out := pool.Run(t.Context(), job, asked)
	if out.Err != nil {
		t.Errorf("%s: %v", g.name, out.Err)
	}
	if g.FreeMessage {
		out.Response.Message = ""
	}
	same(t, g.name+": the response", out.Response, g.Response)
	same(t, g.name+": the host calls", asked.calls, g.Calls)
	same(t, g.name+": the log", log, g.Log)
	// What comes too fast is replaced by what follows it.
	if n := len(g.Progress); n > 0 && (len(last) == 0 || !reflect.DeepEqual(plain(last[len(last)-1]), plain(g.Progress[n-1]))) {
		t.Errorf("%s: the last progress of %v is not that of %v", g.name, last, g.Progress)
	}
}

// same compares two values as JSON; nothing and an empty list are the same.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, w := plain(got), plain(want)
	if fmt.Sprint(g) == "<nil>" || reflect.ValueOf(g).Kind() == reflect.Slice && reflect.ValueOf(g).Len() == 0 {
		g = nil
	}
	if !reflect.DeepEqual(g, w) {
		gotRaw, _ := json.Marshal(got)
		wantRaw, _ := json.Marshal(want)
		t.Errorf("%s:\ngot  %s\nwant %s", what, gotRaw, wantRaw)
	}
}

// plain is a value as JSON has it.
func plain(v any) (out any) {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	return out
}
