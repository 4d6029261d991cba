package wasmplugins

import (
	"strings"
	"testing"
	"time"

	"octopus/internal/stall"
	"octopus/sdk/spec"
)

// slack is how late a kill may be in a test on a busy machine; what it really
// is, the benchmark says.
const slack = 2 * time.Second

// hostileCases are what modules that want to do harm end as.
var hostileCases = []struct {
	module string
	job    Job
	status int
	code   string
	says   string
}{
	{module: "loop", status: 504, code: spec.CodeTimeout, says: "did not end within 300ms"},
	{module: "exponential", status: 504, code: spec.CodeTimeout},
	{module: "start_loop", status: 504, code: spec.CodeTimeout},
	{module: "sleeper", status: 504, code: spec.CodeTimeout},
	{module: "call_flood", status: 504, code: spec.CodeTimeout},
	{module: "log_flood", status: 504, code: spec.CodeTimeout},
	{module: "memory_hog", status: 507, code: spec.CodeMemoryLimit, says: "more than its 64MiB of memory"},
	{module: "table_hog", status: 500, code: spec.CodeTrap, says: "unreachable"},
	{module: "recursion", status: 500, code: spec.CodeTrap, says: "stack overflow"},
	{module: "stdout_flood", status: 507, code: spec.CodeOutputLimit, says: "more than 4MiB"},
	{module: "not_json", status: 502, code: spec.CodeInvalidResponse, says: "begins with `hello`"},
	{module: "silent", status: 502, code: spec.CodeInvalidResponse, says: "printed no response"},
	{module: "exit_code", status: 500, code: spec.CodeException, says: "exit code 3"},
	{module: "bomb_br_table", status: 422, code: spec.CodeRefused, says: "jump table of 19999"},
	{module: "bomb_nesting", status: 422, code: spec.CodeRefused, says: "nests blocks"},
	{module: "import_other", status: 422, code: spec.CodeRefused, says: `imports "env.system"`},
	{module: "no_memory", status: 422, code: spec.CodeRefused, says: "does not export its memory"},
	{module: "wild_type", status: 422, code: spec.CodeRefused, says: "does not compile"},
	{module: "memory_first", status: 422, code: spec.CodeRefused, says: "starts with 1024 MiB"},
	{module: "bulk_fill", status: 504, code: spec.CodeTimeout},
	{module: "bulk_copy", status: 504, code: spec.CodeTimeout},
	{module: "table_fill", status: 504, code: spec.CodeTimeout},
	{module: "indirect", status: 504, code: spec.CodeTimeout},
	{module: "random_flood", status: 504, code: spec.CodeTimeout},
	{module: "progress_flood", status: 504, code: spec.CodeTimeout},
	{module: "reply_flood", status: 504, code: spec.CodeTimeout},
	{module: "indirect_wild", status: 500, code: spec.CodeTrap, says: "invalid table access"},
	{module: "start_trap", status: 500, code: spec.CodeTrap, says: "unreachable"},
	{module: "start_grow", status: 507, code: spec.CodeMemoryLimit, says: "more than its 64MiB of memory"},
	{module: "print_utf8", status: 502, code: spec.CodeInvalidResponse, says: "UTF-8"},
	{module: "print_twice", status: 502, code: spec.CodeInvalidResponse, says: "after"},
	{module: "print_keys", status: 502, code: spec.CodeInvalidResponse, says: "status_code"},
	{module: "print_number", status: 502, code: spec.CodeInvalidResponse, says: "status_code"},
	{module: "print_depth", status: 502, code: spec.CodeInvalidResponse, says: "deep"},
	{module: "print_operations", status: 502, code: spec.CodeInvalidResponse, says: "at most 1000"},
	{module: "print_escape", status: 502, code: spec.CodeInvalidResponse, says: "name"},
	{module: "print_unknown", status: 502, code: spec.CodeInvalidResponse, says: "exec"},
	{module: "multi_memory", status: 422, code: spec.CodeRefused, says: "memor"},
	{module: "memory64", status: 422, code: spec.CodeRefused, says: "64"},
	{module: "exceptions", status: 422, code: spec.CodeRefused, says: "exception"},
	{module: "import_wasi_other", status: 422, code: spec.CodeRefused, says: "sock_open"},
	{module: "reactor_loop_init", status: 504, code: spec.CodeTimeout},
	{module: "reactor_loop_run", status: 504, code: spec.CodeTimeout},
	{module: "reactor_hog_init", status: 507, code: spec.CodeMemoryLimit, says: "more than its 64MiB of memory"},
	{module: "reactor_flood_init", status: 507, code: spec.CodeOutputLimit, says: "more than 4MiB"},
	{module: "reactor_exit_init", status: 500, code: spec.CodeException, says: "exit code 3"},
	{module: "reactor_trap_run", status: 500, code: spec.CodeTrap, says: "unreachable"},
	{module: "reactor_bare", status: 422, code: spec.CodeRefused, says: "without octopus_run"},
	{module: "import_signature", status: 422, code: spec.CodeRefused, says: "wrong type"},
}

func TestHostileModules(t *testing.T) {
	t.Parallel()
	names := []string{"noop"}
	for _, c := range hostileCases {
		names = append(names, c.module)
	}
	p, digests := newPool(t, PoolConfig{MaxRunners: 3}, names...)
	for _, c := range hostileCases {
		t.Run(c.module, func(t *testing.T) {
			t.Parallel()
			c.job.Digest, c.job.Timeout = digests[c.module], 300*time.Millisecond
			if c.code != spec.CodeTimeout {
				c.job.Timeout = 30 * time.Second
			}
			stalled := stall.Watch(t)
			out := p.Run(t.Context(), c.job, nil)
			if out.Response.StatusCode != c.status || out.Response.Error == nil || out.Response.Error.Code != c.code {
				t.Fatalf("ended as %d %+v: %s (%v)", out.Response.StatusCode, out.Response.Error, out.Response.Message, out.Err)
			}
			if !strings.Contains(out.Response.Message, c.says) {
				t.Errorf("message %q lacks %q", out.Response.Message, c.says)
			}
			if over := out.GuestTime - c.job.Timeout; over > slack+stalled() {
				t.Errorf("overran by %s", over)
			}
			kept := c.code == spec.CodeOutputLimit || c.code == spec.CodeInvalidResponse && c.module != "silent"
			if (len(out.Invalid) > 0) != kept || len(out.Invalid) > MaxInvalid || int64(len(out.Invalid)) != min(out.RawSize, MaxInvalid) && kept {
				t.Errorf("%d of %d bytes that are no response were kept", len(out.Invalid), out.RawSize)
			}
			if out.RawFile != "" {
				t.Logf("spilled to a file, as %s asks for", c.module)
			}
			// The pool is as good as new.
			if out := p.Run(t.Context(), Job{Digest: digests["noop"]}, nil); out.Response.StatusCode != 200 {
				t.Errorf("noop afterwards: %+v, %v", out.Response, out.Err)
			}
		})
	}
}

// TestWhatAGuestFinds: nothing of what WASI offers a program is there, and looking for it is no crime.
func TestWhatAGuestFinds(t *testing.T) {
	t.Parallel()
	names := []string{"wasi_paths", "wasi_secrets", "wasi_sockets"}
	p, digests := newPool(t, PoolConfig{MaxRunners: 1}, names...)
	for _, name := range names {
		if out := p.Run(t.Context(), Job{Digest: digests[name]}, nil); out.Err != nil || out.Response.StatusCode != 200 {
			t.Errorf("%s: %+v %v", name, out.Response, out.Err)
		}
	}
}

// Modules that pass the structural checks and would compile for minutes are
// given up, once.
func TestCompileBombs(t *testing.T) {
	t.Parallel()
	jumps := []byte{}
	for range 7 {
		jumps = append(jumps, 0x02, 0x40, 0x41, 0, 0x0e, 0x80, 0x80, 0x01) // block, i32.const 0, br_table
		jumps = append(append(jumps, make([]byte, maxBrTable+1)...), 0x0b)
	}
	for name, raw := range map[string][]byte{"jump tables": functions(jumps, 40), "large functions": largest()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shelf{Digest(raw): raw}
			p, _ := newPool(t, PoolConfig{Load: s.load, CompileTimeout: time.Second})
			out := p.Run(t.Context(), Job{Digest: Digest(raw)}, nil)
			failed(t, out, 422, spec.CodeRefused)
			if !strings.Contains(out.Response.Message, "to compile") {
				t.Errorf("message %q", out.Response.Message)
			}
			p.mu.Lock()
			for code, known := range p.refused {
				known.err = refuse("too_complex", "It is known to take longer to compile.")
				p.refused[code] = known
			}
			p.mu.Unlock()
			again := p.Run(t.Context(), Job{Digest: Digest(raw)}, nil)
			failed(t, again, 422, spec.CodeRefused)
			if !strings.Contains(again.Response.Message, "It is known") {
				t.Errorf("compiled again: %q", again.Response.Message)
			}
		})
	}
}
