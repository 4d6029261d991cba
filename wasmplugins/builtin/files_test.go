package builtin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"octopus/agent/broker"
	"octopus/agent/policy"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin/bundle"
	"octopus/wasmplugins/toolchain"
	"octopus/wasmplugins/trial"
)

// stage runs plugins over a folder of this machine, through the broker that agents use.
type stage struct {
	pool   *wasmplugins.Pool
	digest string
	dir    string
	dryRun bool
	memory uint64 // bytes; 0 is the default
}

func newStage(t *testing.T, pool *wasmplugins.Pool, digest string) stage {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return stage{pool: pool, digest: digest, dir: dir}
}

func (s stage) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// run carries out an action. params is a Go value.
func (s stage) run(t *testing.T, action string, params any) spec.Response {
	t.Helper()
	raw, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	files := []spec.File{{Path: s.dir, Mode: "rw"}}
	b := broker.New(broker.Config{Plugin: "test", Grant: spec.Capabilities{Files: files},
		Policy: &policy.Policy{Capabilities: &policy.Capabilities{Files: files}}, DryRun: s.dryRun})
	defer b.Close()
	request, err := json.Marshal(spec.Request{ABI: spec.ABI, Action: action, Params: raw, Execution: spec.RequestExecution{DryRun: s.dryRun}})
	if err != nil {
		t.Fatal(err)
	}
	out := s.pool.Run(t.Context(), wasmplugins.Job{Digest: s.digest, Request: request, Memory: s.memory, Stdout: 48 << 20, Timeout: 2 * time.Minute}, b)
	if out.Err != nil {
		t.Fatalf("%s %s: %v", action, raw, out.Err)
	}
	return out.Response
}

// want runs an action and decodes its result; code is the failure's, empty where it is to succeed.
func (s stage) want(t *testing.T, action string, params map[string]any, code string, result any) spec.Response {
	t.Helper()
	r := s.run(t, action, params)
	got := ""
	if r.Error != nil {
		got = r.Error.Code
	}
	if got != code || code == "" && r.StatusCode != 200 {
		t.Fatalf("%s %v: got %d %q %s, want %q", action, params, r.StatusCode, got, r.Message, code)
	}
	if result != nil {
		if err := json.Unmarshal(r.Result, result); err != nil {
			t.Fatalf("%s %v: result %s: %v", action, params, r.Result, err)
		}
	}
	return r
}

// exams are what the modules that come from other compilers must do, by plugin.
var exams = map[string]func(t *testing.T, pool *wasmplugins.Pool, digest string){
	"file-digest": examineFileDigest,
	"csv-summary": examineCSVSummary,
}

func TestOtherLanguages(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	pool, s := sandbox(t)
	for name, exam := range exams {
		t.Run(name, func(t *testing.T) { exam(t, pool, s.digests[name]) })
	}
}

// TestRecompiled compiles what is committed as a module anew. The same compiler must make the same bytes of the same
// sources; what another one makes must do the same.
func TestRecompiled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what runs compilers")
	}
	list, err := bundle.Recompile(t.Context(), bundle.Config{})
	if missing := (*toolchain.Missing)(nil); errors.As(err, &missing) && os.Getenv("OCTOPUS_CI") == "" {
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(exams) {
		t.Fatalf("%d plugins are compiled, %d are examined", len(list), len(exams))
	}
	for _, r := range list {
		t.Run(r.Name, func(t *testing.T) {
			same := string(r.Module) == string(r.Committed)
			if r.Compiler == r.CommittedCompiler && !same {
				t.Errorf("The module in wasmplugins/builtin/%s is not what its sources say. Run: go run ./wasmplugins/builtin/build -recompile", r.Name)
			}
			if !same {
				t.Logf("%s here, committed is what %s made", r.Compiler, r.CommittedCompiler)
				examine(t, r)
			}
		})
	}
}

// examine has a module pass the cases of its manifest and its exam.
func examine(t *testing.T, r bundle.Recompiled) {
	t.Helper()
	s, err := modules()
	if err != nil {
		t.Fatal(err)
	}
	m := s.manifests[r.Name]
	digest := wasmplugins.Digest(r.Module)
	shelf := maps.Clone(s.modules)
	shelf[digest] = r.Module
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{Dir: t.TempDir(), Executable: []string{program(), "runner"}, MaxRunners: 2,
		Load: func(_ context.Context, digest string) ([]byte, error) {
			if raw, ok := shelf[digest]; ok {
				return raw, nil
			}
			return nil, fmt.Errorf("no module %s", digest)
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, test := range m.Tests {
		if got := trial.Run(t.Context(), pool, digest, m, test, test.Params); !got.OK() {
			t.Errorf("%s: %v", test.Name, got.Mismatch)
		}
	}
	exams[r.Name](t, pool, digest)
}
