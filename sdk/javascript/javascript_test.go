package javascript_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"octopus/sdk/javascript"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/trial"
)

// TestMain lets the test binary be its own runner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// program is what runs runners: what the Makefile built without the race detector, or this test itself.
func program() string {
	if built := os.Getenv("OCTOPUS_TEST_BINARY"); built != "" {
		return built
	}
	return os.Args[0]
}

// pack puts a script into the engine.
func pack(t *testing.T, script string) []byte {
	t.Helper()
	engine, err := javascript.Engine()
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.PackScript(engine, []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wasmplugins.Check(module, wasmplugins.DefaultMemory); err != nil {
		t.Fatal(err)
	}
	return module
}

// stage runs the actions of one script. Compiled code is kept in the git-ignored .cache of the source folder.
func stage(t *testing.T, script string) func(request string) (spec.Response, []string) {
	t.Helper()
	module := pack(t, script)
	dir, err := filepath.Abs("../../.cache/sandbox-test")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: dir, Executable: []string{program(), "runner"}, MaxRunners: 2,
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
	return func(request string) (spec.Response, []string) {
		t.Helper()
		var lines []string
		out := pool.Run(t.Context(), wasmplugins.Job{
			Digest: wasmplugins.Digest(module), Memory: 16 << 20, Request: []byte(request),
			OnLog: func(batch []wasmplugins.LogLine) {
				for _, l := range batch {
					lines = append(lines, l.Text)
				}
			},
		}, trial.NewBroker(spec.Fakes{
			KV:   map[string]json.RawMessage{"a": json.RawMessage(`41`)},
			HTTP: []spec.FakeHTTP{{URL: "https://example.com/", Status: 200, Body: `{"x":1}`}},
		}))
		if out.Err != nil {
			t.Errorf("%s: %v", request, out.Err)
		}
		return out.Response, lines
	}
}

// TestEngine has a script do, or fail to do, what authors may expect of it.
func TestEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	source, err := os.ReadFile("testdata/engine.js")
	if err != nil {
		t.Fatal(err)
	}
	run := stage(t, string(source))
	for _, c := range []struct {
		action, params string
		status         int
		code           string
		says           string // part of the message
		logs           string // part of the log
	}{
		{"greet", `{"name":"Ada"}`, 200, "", "Hello, Ada ü€𝄞.", "warn: hi {\"name\":\"Ada\"} 12n"},
		{"check-all", `{}`, 200, "", "camel", ""},
		{"everything", `{}`, 200, "", "42 1 häl aMOkbA== true", ""},
		{"plain", `{}`, 201, "", "made", ""},
		{"unknown", `{}`, 404, "unknown_action", `no action "unknown", it has: bare, big, boom, caught, checkAll, deep,`, ""},
		{"boom", `{}`, 500, "exception", "plugin.js:20:10: ReferenceError: 'nothere' is not defined", "at boom (plugin.js:20"},
		{"throws", `{}`, 500, "exception", "plugin.js: it threw a string", ""},
		{"later", `{}`, 500, "exception", "plugin.js:28", "TypeError: later"},
		{"floating", `{}`, 500, "exception", "plugin.js:32", ""},
		{"hangs", `{}`, 500, "exception", "waits for a promise that nothing will ever settle", ""},
		{"deep", `{}`, 500, "exception", "stack overflow", ""},
		{"hog", `{}`, 507, "memory_limit", "16MiB", "out of memory"},
		{"denied", `{}`, 403, "denied", "plugin.js:47", ""},
		{"caught", `{}`, 502, "unreachable", "No fake answers GET https://example.org/.", ""},
		{"nothing", `{}`, 502, "invalid_response", "nothing returned nothing; return an object such as", ""},
		{"word", `{}`, 502, "invalid_response", "word returned done, but a response is an object", ""},
		{"nostatus", `{}`, 502, "invalid_response", "without status_code", ""},
		{"big", `{}`, 500, "exception", "BigInt", ""},
		{"garbage", `{}`, 200, "", "swept", ""},
		{"bare", `{}`, 200, "", "undefined undefined undefined undefined", ""},
	} {
		got, lines := run(`{"abi":1,"action":"` + c.action + `","params":` + c.params + `}`)
		code := ""
		if got.Error != nil {
			code = got.Error.Code
		}
		if got.StatusCode != c.status || code != c.code || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: got %d %q %q", c.action, got.StatusCode, code, got.Message)
		}
		if !strings.Contains(strings.Join(lines, "\n"), c.logs) {
			t.Errorf("%s: the log is %q", c.action, lines)
		}
	}
	if got, _ := run(`[`); got.StatusCode != 400 || got.Error.Code != "invalid_request" {
		t.Errorf("a broken request: %+v", got)
	}
}

// TestBrokenScripts are those that do not get as far as an action.
func TestBrokenScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	t.Parallel()
	for script, says := range map[string]string{
		"export function greet() {\n  return {;\n}\n":   "plugin.js:2:",
		"import {x} from './x.js';\nexport {x};\n":      "x.js cannot be imported: a script plugin is one file",
		"const n = null;\nn.x;\nexport function a() {}": "plugin.js:2:",
	} {
		got, _ := stage(t, script)(`{"action":"greet"}`)
		if got.StatusCode != 500 || got.Error == nil || got.Error.Code != "exception" || !strings.Contains(got.Message, says) {
			t.Errorf("%q: got %+v", script, got)
		}
	}
}

// TestNoScript is the engine alone.
func TestNoScript(t *testing.T) {
	t.Parallel()
	engine, err := javascript.Engine()
	if err != nil {
		t.Fatal(err)
	}
	info, err := wasmplugins.Check(engine, wasmplugins.DefaultMemory)
	if err != nil || info.HasScript || len(engine) > 3<<19 {
		t.Errorf("%d bytes, %+v, %v", len(engine), info, err)
	}
}
