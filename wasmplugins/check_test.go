package wasmplugins

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/internal/stall"
	"octopus/sdk/spec"
)

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"noop", "loop", "memory_hog", "table_hog", "recursion", "call_flood", "exponential", "start_loop", "wild_type", "big_result"} {
		info, err := Check(module(t, name), 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info.HostCalls != (name == "call_flood") {
			t.Errorf("%s: host calls %v", name, info.HostCalls)
		}
	}
	info, err := Check(module(t, "noop"), 0)
	if err != nil || info.Size != 142 || info.MemoryMin != pageSize || info.Functions != 1 || len(info.Imports) != 1 || info.Imports[0] != "wasi_snapshot_preview1.fd_write" {
		t.Errorf("noop: %+v, %v", info, err)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, code, says string }{
		{"bomb_br_table", "too_complex", "jump table"},
		{"bomb_nesting", "too_complex", "nests blocks more than 1000 deep"},
		{"bomb_locals", "too_complex", "more than 10000 locals"},
		{"import_other", "imports", `"env.system"`},
		{"import_memory", "imports", "other than a function"},
		{"no_memory", "no_memory", "does not export its memory"},
		{"no_start", "no_start", "reactor"},
		{"memory_first", "memory_limit", "starts with 1024 MiB"},
		{"table_huge", "too_complex", "10000000 entries"},
		{"two_tables", "too_complex", "2 tables"},
		{"threads", "unsupported", "threads"},
		{"tail_call", "unsupported", "tail calls"},
	} {
		refused(t, c.name, module(t, c.name), c.code, c.says)
	}
	noop := module(t, "noop")
	for _, c := range []struct {
		name       string
		raw        []byte
		code, says string
	}{
		{"empty", nil, "not_wasm", "empty"},
		{"text", []byte("#!/bin/sh\n"), "not_wasm", "does not begin"},
		{"wat", []byte("(module)"), "not_wasm", "wat2wasm"},
		{"program", []byte("\x7fELF\x02\x01\x01"), "not_wasm", "native program"},
		{"gzip", []byte("\x1f\x8b\x08\x00"), "not_wasm", "gzip"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "component", "component"},
		{"version 2", []byte("\x00asm\x02\x00\x00\x00"), "unsupported", "version"},
		{"header alone", []byte("\x00asm\x01\x00\x00\x00"), "no_memory", "memory"},
		{"cut off", noop[:len(noop)-5], "malformed", "cut off"},
		{"section twice", append(bytes.Clone(noop), noop[8:20]...), "malformed", ""},
		{"unknown section", append(bytes.Clone(noop), 77, 0), "malformed", "unknown section"},
		{"exceptions", append(bytes.Clone(noop), 13, 0), "unsupported", "exception"},
		{"big function", oneFunction(bytes.Repeat([]byte{1}, maxBody+1)), "too_complex", "at most 128 KiB"},
		{"too big", make([]byte, MaxModule+1), "too_big", "at most 32 MiB"},
	} {
		refused(t, c.name, c.raw, c.code, c.says)
	}
	if _, err := Check(module(t, "memory_dirty"), 4<<20); err == nil {
		t.Error("8 MiB fit into 4")
	}
}

func refused(t *testing.T, name string, raw []byte, code, says string) {
	t.Helper()
	_, err := Check(raw, 0)
	var r *Refusal
	if !errors.As(err, &r) || r.Code != code && says != "" || !strings.Contains(r.Message, says) || !strings.HasSuffix(strings.TrimRight(r.Message, ")"), ".") && !strings.HasSuffix(r.Message, ".") {
		t.Errorf("%s: %v %+v, want %s %q", name, err, r, code, says)
	}
}

// sectionOf writes one section.
func sectionOf(id byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{id}, uint64(len(body))), body...)
}

// oneFunction is a module whose _start has a body of these instructions.
func oneFunction(code []byte) []byte { return functions(code, 1) }

// functions is a module with n functions of the same body.
func functions(code []byte, n int) []byte {
	body := append(append([]byte{0}, code...), 0x0b)
	out := bytes.Clone(header)
	out = append(out, sectionOf(secType, []byte{1, 0x60, 0, 0})...)
	out = append(out, sectionOf(secFunction, append(binary.AppendUvarint(nil, uint64(n)), make([]byte, n)...))...)
	out = append(out, sectionOf(secMemory, []byte{1, 0, 1})...)
	out = append(out, sectionOf(secExport, []byte("\x02\x06memory\x02\x00\x06_start\x00\x00"))...)
	bodies := binary.AppendUvarint(nil, uint64(n))
	for range n {
		bodies = append(binary.AppendUvarint(bodies, uint64(len(body))), body...)
	}
	return append(out, sectionOf(secCode, bodies)...)
}

// largest is a module of nearly 32 MiB of real instructions.
func largest() []byte {
	code := bytes.Repeat([]byte{0x41, 0xe4, 0x00, 0x41, 1, 0x6a, 0x1a, 0x02, 0x40, 0x0b}, 12_000) // i32.const 100, i32.const 1, i32.add, drop, block end
	return functions(code, 279)
}

func TestCheckIsQuick(t *testing.T) {
	t.Parallel()
	if raceBuild {
		t.Skip("the race detector takes ten times as long")
	}
	raw := largest()
	stalled, began := stall.Watch(t), time.Now()
	if _, err := Check(raw, 0); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second+stalled() { // goal 100 ms; the benchmark tells
		t.Errorf("checking %d MiB took %s", len(raw)>>20, took)
	}
}

const manifestJSON = `{"schema":"octopus.plugin/v1","abi":1,"name":"noop","version":"1.0.0","actions":[{"name":"run"}]}`

func TestPack(t *testing.T) {
	t.Parallel()
	noop := module(t, "noop")
	if _, err := ManifestOf(noop); !errors.Is(err, ErrNoManifest) {
		t.Errorf("without a manifest: %v", err)
	}
	packed, err := Pack(noop, []byte(manifestJSON))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ManifestOf(packed)
	if err != nil || m.Name != "noop" {
		t.Errorf("manifest %+v, %v", m, err)
	}
	newer, err := Pack(packed, []byte(strings.Replace(manifestJSON, "1.0.0", "1.0.1", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ManifestOf(newer); err != nil || m.Version != "1.0.1" || len(newer) != len(packed) {
		t.Errorf("replaced: %+v, %v, %d and %d bytes", m, err, len(newer), len(packed))
	}
	if info, err := Check(newer, 0); err != nil || !info.HasManifest {
		t.Errorf("packed module: %+v, %v", info, err)
	}
	if _, err := Pack(noop, []byte(`{"schema":"octopus.plugin/v1"}`)); err == nil {
		t.Error("a manifest with problems was packed")
	}
	if _, err := ManifestOf(append(packed, packed[len(noop):]...)); err == nil {
		t.Error("two manifests were read")
	}
	if _, err := ManifestOf([]byte("MZ")); err == nil {
		t.Error("a program has a manifest")
	}
}

func TestClampTable(t *testing.T) {
	t.Parallel()
	hog := module(t, "table_hog")
	clamped := clampTable(hog)
	if bytes.Equal(hog, clamped) {
		t.Fatal("unchanged")
	}
	if _, err := Check(clamped, 0); err != nil {
		t.Error(err)
	}
	if again := clampTable(clamped); !bytes.Equal(again, clamped) {
		t.Error("changed twice")
	}
	if noop := module(t, "noop"); !bytes.Equal(clampTable(noop), noop) {
		t.Error("a module without a table was changed")
	}
}

// seeds adds every module in testdata.
func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.wasm")
	if err != nil || len(files) < 20 {
		f.Fatal(len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		if packed, err := Pack(raw, []byte(manifestJSON)); err == nil && len(raw) < 1000 {
			f.Add(packed)
		}
	}
	f.Add([]byte("\x00asm\x0d\x00\x01\x00"))
}

func FuzzCheck(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := Check(raw, 0); err != nil {
			var r *Refusal
			if !errors.As(err, &r) || r.Code == "" || r.Message == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if _, err := Check(clampTable(raw), 0); err != nil {
			t.Fatalf("clamped: %v", err)
		}
		_ = fitsMemory(raw, 1)
	})
}

func FuzzManifestOf(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ManifestOf(raw)
		if err == nil && len(m.Validate()) == 0 {
			packed, err := Pack(raw, []byte(manifestJSON))
			if err != nil {
				t.Fatal(err)
			}
			if m, err := ManifestOf(packed); err != nil || m.Name != "noop" {
				t.Fatalf("packed again: %+v, %v", m, err)
			}
		}
		_ = spec.ABI
	})
}
