// Extism measures calls of WASI modules with extism/go-sdk, in this process: what `make bench` puts beside Octopus's
// runners. Arguments are FILE:ENTRY; standard input is what each call gets. It prints a line of JSON for each.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const rounds = 300

func main() {
	request, err := io.ReadAll(os.Stdin)
	for _, arg := range os.Args[1:] {
		if err == nil {
			err = measure(context.Background(), arg, request)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "extism:", err)
		os.Exit(1)
	}
}

// result is a module's; times are medians in microseconds.
type result struct {
	File  string  `json:"file"`
	Fresh float64 `json:"fresh_us"` // an instance for each call
	Again float64 `json:"again_us"` // the same instance, with what the call before left in it; 0 where that cannot be
}

func measure(ctx context.Context, arg string, request []byte) error {
	file, entry, _ := strings.Cut(arg, ":")
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmFile{Path: file}}}
	compiled, err := extism.NewCompiledPlugin(ctx, manifest, extism.PluginConfig{EnableWasi: true}, hostCalls())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer compiled.Close(ctx)
	stdin, stdout := &bytes.Reader{}, &bytes.Buffer{}
	config := extism.PluginInstanceConfig{ModuleConfig: wazero.NewModuleConfig().WithStdin(stdin).
		WithStdout(stdout).WithStderr(stdout). // which a plugin in Go uses for both once it was called
		WithSysWalltime().WithSysNanotime()}
	call := func(p *extism.Plugin) error {
		stdin.Reset(request)
		stdout.Reset()
		_, _, err := p.CallWithContext(ctx, entry, nil)
		if err != nil && !strings.Contains(err.Error(), "exit code: 0") {
			return err
		}
		if !json.Valid(stdout.Bytes()) {
			return fmt.Errorf("it printed %q", stdout)
		}
		return nil
	}
	r := result{File: file}
	r.Fresh, err = median(func() error {
		p, err := compiled.Instance(ctx, config)
		if err != nil {
			return err
		}
		defer p.CloseWithContext(ctx)
		return call(p)
	})
	if err == nil && entry != "_start" { // which is called once
		var p *extism.Plugin
		if p, err = compiled.Instance(ctx, config); err == nil {
			r.Again, err = median(func() error { return call(p) })
			err = join(err, p.CloseWithContext(ctx))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func join(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func median(do func() error) (float64, error) {
	var times []time.Duration
	for range rounds {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds()) / 1000, nil
}

// hostCalls are octopus_v1, all refused.
func hostCalls() []extism.HostFunction {
	i32 := extism.ValueTypeI32
	list := []extism.HostFunction{
		extism.NewHostFunctionWithStack("call", func(_ context.Context, _ *extism.CurrentPlugin, stack []uint64) { stack[0] = api.EncodeI32(-52) },
			[]extism.ValueType{i32, i32, i32, i32}, []extism.ValueType{i32}),
		extism.NewHostFunctionWithStack("read", func(_ context.Context, _ *extism.CurrentPlugin, stack []uint64) { stack[0] = 0 },
			[]extism.ValueType{i32, i32}, []extism.ValueType{i32}),
	}
	for i := range list {
		list[i].SetNamespace("octopus_v1")
	}
	return list
}
