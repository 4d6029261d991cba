package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
)

// noWork asks for an action that no plugin has: what is left is to start, to read it, and to answer that.
const noWork = `{"abi":1,"action":"nothing","params":{},"config":{},"execution":{"id":"bench"},"user":{}}`

// calls is how many are timed of each module, between them passes so much that a runner has made its next instance.
// busy is how long calls follow each other for what they cost.
const (
	calls   = 500
	between = 5 * time.Millisecond
	busy    = 5 * time.Second
)

// sandbox measures calls without work, in runners and, in one process, with extism/go-sdk, and the checks of a module.
func (o *options) sandbox(ctx context.Context) error {
	modules, err := samples()
	if err != nil {
		return err
	}
	var p50, rates, files []string
	for _, m := range modules {
		median, rate, err := o.calls(ctx, m)
		if err != nil {
			return err
		}
		p50 = append(p50, fmt.Sprintf("%s %.2f ms", m.language, median.Seconds()*1000))
		rates = append(rates, fmt.Sprintf("%s %.0f", m.language, rate))
		file := filepath.Join(o.folder, m.name+".wasm")
		if err := os.WriteFile(file, m.raw, 0o600); err != nil {
			return err
		}
		files = append(files, file+":"+m.entry)
	}
	o.table.row("a warm call without work, in a runner", "p50 ≤ 1 ms", strings.Join(p50, ", "))
	o.table.row("such calls for each second of processor time", "", strings.Join(rates, ", "))
	return errors.Join(o.extism(ctx, files), o.checks(ctx))
}

// calls returns the median of a module's calls, and how many there are for each second of processor time.
func (o *options) calls(ctx context.Context, m sample) (median time.Duration, rate float64, err error) {
	var times []time.Duration
	var begins, cost time.Duration
	for _, step := range []func(*wasmplugins.Pool) error{
		func(p *wasmplugins.Pool) error { // compiles it
			_, err := timed(ctx, p, m, 1, 0)
			return err
		},
		func(p *wasmplugins.Pool) error {
			first, err := timed(ctx, p, m, 1, 0)
			if err == nil && m.name == "echo" {
				o.table.row("first call of a plugin in Go, compiled before", "≤ 300 ms", first[0].Round(time.Millisecond).String())
			}
			return err
		},
		func(p *wasmplugins.Pool) (err error) {
			if times, err = timed(ctx, p, m, calls, between); err == nil {
				median = times[len(times)/2]
			}
			return err
		},
		func(p *wasmplugins.Pool) (err error) {
			times = nil
			for end := time.Now().Add(busy); err == nil && time.Now().Before(end); {
				var more []time.Duration
				more, err = timed(ctx, p, m, 10, 0)
				times = append(times, more...)
			}
			return err
		},
	} {
		began := processorTime()
		if err := o.inPool(m, step); err != nil {
			return 0, 0, err
		}
		if cost = processorTime() - began; len(times) == 0 {
			begins = cost // what it takes to start a pool and a runner
		}
	}
	return median, float64(len(times)) / (cost - begins).Seconds(), nil
}

// sample is a module that is called.
type sample struct {
	name, language, entry string
	raw                   []byte
}

// samples are a built-in plugin for each language.
func samples() ([]sample, error) {
	all, err := builtin.All()
	if err != nil {
		return nil, err
	}
	var list []sample
	for name, language := range map[string]string{"echo": "Go", "file-digest": "Rust", "csv-summary": "C", "json-transform": "JavaScript"} {
		i := slices.IndexFunc(all, func(p builtin.Plugin) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the plugin %s is not built: make plugins", name)
		}
		raw, err := all[i].Module()
		if err != nil {
			return nil, err
		}
		info, err := wasmplugins.Check(raw, 0)
		if err != nil {
			return nil, err
		}
		entry := "_start"
		if info.Reactor {
			entry = "octopus_run"
		}
		list = append(list, sample{name, language, entry, raw})
	}
	slices.SortFunc(list, func(a, b sample) int { return strings.Compare(a.language, b.language) })
	return list, nil
}

// inPool gives a pool that holds one module, and ends it.
func (o *options) inPool(m sample, do func(*wasmplugins.Pool) error) error {
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: filepath.Join(o.folder, "sandbox"), Executable: []string{o.binary, "runner"},
		Load: func(context.Context, string) ([]byte, error) { return m.raw, nil },
	})
	if err != nil {
		return err
	}
	return errors.Join(do(pool), pool.Close())
}

// timed calls a module so many times and returns how long each took, sorted.
func timed(ctx context.Context, pool *wasmplugins.Pool, m sample, times int, pause time.Duration) ([]time.Duration, error) {
	var all []time.Duration
	job := wasmplugins.Job{Digest: wasmplugins.Digest(m.raw), Request: []byte(noWork)}
	for range times {
		time.Sleep(pause)
		began := time.Now()
		out := pool.Run(ctx, job, nil)
		if out.Err != nil || out.Response.StatusCode != 404 {
			return nil, fmt.Errorf("%s answered %d %s: %w", m.name, out.Response.StatusCode, out.Response.Message, out.Err)
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all, nil
}

// processorTime is that of this process and of its children that have ended.
func processorTime() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// extism measures the same calls with extism/go-sdk, in a program and a Go module of its own.
func (o *options) extism(ctx context.Context, files []string) error {
	program := filepath.Join(o.folder, "extism")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir, build.Stderr = filepath.Join("internal", "bench", "extism"), os.Stderr
	if err := build.Run(); err != nil {
		o.table.row("the same call with extism/go-sdk, in process", "", "not measured, it does not build here: "+err.Error())
		return nil
	}
	cmd := exec.CommandContext(ctx, program, files...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(noWork), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("extism: %w", err)
	}
	var said []string
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var r struct {
			File  string  `json:"file"`
			Fresh float64 `json:"fresh_us"`
			Again float64 `json:"again_us"`
		}
		if err := d.Decode(&r); err != nil {
			return fmt.Errorf("extism: %w", err)
		}
		text := fmt.Sprintf("%s %.2f ms", strings.TrimSuffix(filepath.Base(r.File), ".wasm"), r.Fresh/1000)
		if r.Again > 0 {
			text += fmt.Sprintf(" (%.2f in an instance that was used before)", r.Again/1000)
		}
		said = append(said, text)
	}
	o.table.row("the same call with extism/go-sdk, in process, p50", "", strings.Join(said, ", "))
	return nil
}

var cpuPerOp = regexp.MustCompile(`(?m)^Benchmark(\w+)-?\d*\s.*?([\d.]+) cpu-ms/op`)

// checks is what a module of 32 MiB goes through before it is compiled.
func (o *options) checks(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark(Check|FuelRewrite)$", "-benchtime", "20x", "./wasmplugins")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("checks: %w", err)
	}
	for _, m := range cpuPerOp.FindAllStringSubmatch(string(out), -1) {
		ms, _ := strconv.ParseFloat(m[2], 64) // the expression takes numbers only
		what := map[string]string{"Check": "structural checks of 32 MiB", "FuelRewrite": "rewriting 32 MiB so that fuel is counted"}[m[1]]
		o.table.row(what, "≤ 100 ms", fmt.Sprintf("%.0f ms of processor time", ms))
	}
	return nil
}
