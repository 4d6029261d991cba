package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/trial"
)

// Sandbox is where submissions are compiled and their test cases run: in runner processes that hold nothing, with the
// answers of the case for host calls and no others.
type Sandbox struct {
	// Dir is a folder of the server's own. Created 0700; each trial uses a folder in it and removes it.
	Dir string
	// Executable is the argv that starts a runner. Defaults to this program with the argument "runner".
	Executable []string
	// Timeout ends the trial of one submission as a whole. Defaults to 45 s: proxies give up after a minute.
	Timeout time.Duration
}

const (
	trialTimeout = 45 * time.Second
	maxTestCases = 50
	// leftover is the age at which the folder of a trial belongs to a process that was killed.
	leftover = time.Hour
)

// try compiles a module and runs the test cases of its manifest. One submission is tried at a time, whoever else comes
// waits for its context; the error is of this server, not of the module.
func (c *Catalog) try(ctx context.Context, module []byte, m spec.Manifest) ([]octopus.Check, error) {
	if c.sandbox.Dir == "" {
		return nil, octopus.Errorf(octopus.CodeUnavailable, "This server has no sandbox in which to try a submission.")
	}
	timeout := c.sandbox.Timeout
	if timeout <= 0 {
		timeout = trialTimeout
	}
	select {
	case c.trials <- struct{}{}:
		defer func() { <-c.trials }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pool, done, err := c.trialPool(module)
	if err != nil {
		return nil, err
	}
	defer done()
	checks := []octopus.Check{compiles(ctx, pool, module, m)}
	if checks[0].Status == octopus.CheckFailed {
		return checks, nil
	}
	return append(checks, runCases(ctx, pool, wasmplugins.Digest(module), nil, m)...), nil
}

// runCases runs the test cases of a manifest; script is that of a draft, nil where the module holds its own.
func runCases(ctx context.Context, pool *wasmplugins.Pool, digest string, script []byte, m spec.Manifest) (checks []octopus.Check) {
	if len(m.Tests) == 0 {
		return []octopus.Check{{Name: "test cases", Status: octopus.CheckWarning, Message: "The manifest has no test cases."}}
	}
	for i, test := range m.Tests {
		if i == maxTestCases {
			return append(checks, octopus.Check{Name: "test cases", Status: octopus.CheckWarning,
				Message: fmt.Sprintf("Only the first %d of %d cases were run.", maxTestCases, len(m.Tests))})
		}
		checks = append(checks, runCase(ctx, pool, digest, script, m, test))
	}
	return checks
}

// trialPool starts a sandbox that knows one module; done ends it.
func (c *Catalog) trialPool(module []byte) (pool *wasmplugins.Pool, done func(), err error) {
	if err := os.MkdirAll(c.sandbox.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("sandbox of submissions: %w", err)
	}
	c.sweep()
	dir, err := os.MkdirTemp(c.sandbox.Dir, "trial-")
	if err != nil {
		return nil, nil, fmt.Errorf("sandbox of submissions: %w", err)
	}
	pool, err = wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: dir, Executable: c.sandbox.Executable, MaxRunners: 1, Log: c.log,
		Load: func(context.Context, string) ([]byte, error) { return module, nil },
	})
	remove := func() {
		if err := os.RemoveAll(dir); err != nil {
			c.log.Warn("folder of a submission's trial not removed", "dir", dir, "err", err)
		}
	}
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("sandbox of submissions: %w", err)
	}
	return pool, func() { pool.Close(); remove() }, nil
}

// sweep removes what a process that was killed left behind.
func (c *Catalog) sweep() {
	entries, err := os.ReadDir(c.sandbox.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "trial-") {
			continue // the engine of drafts stays compiled
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > leftover {
			_ = os.RemoveAll(filepath.Join(c.sandbox.Dir, e.Name())) // the next one tries again
		}
	}
}

func compiles(ctx context.Context, pool *wasmplugins.Pool, module []byte, m spec.Manifest) octopus.Check {
	start := time.Now()
	_, err := pool.Prepare(ctx, wasmplugins.Digest(module), uint64(m.Limits.Memory))
	check := octopus.Check{Name: "compiles", Status: octopus.CheckOK, TookMS: time.Since(start).Milliseconds()}
	switch {
	case ctx.Err() != nil:
		check.Status, check.Message = octopus.CheckFailed, "It did not compile within the time that this server gives a submission."
	case err != nil:
		check.Status, check.Message = octopus.CheckFailed, sentence(err)
	}
	return check
}

func runCase(ctx context.Context, pool *wasmplugins.Pool, digest string, script []byte, m spec.Manifest, test spec.Test) octopus.Check {
	check := octopus.Check{Name: "case " + test.Name, Status: octopus.CheckFailed}
	params, err := testParams(m, test)
	if err != nil {
		check.Message = octopus.Sentence(err)
		return check
	}
	r := trial.RunScript(ctx, pool, digest, script, m, test, params)
	check.TookMS = r.Outcome.GuestTime.Milliseconds()
	switch {
	case ctx.Err() != nil:
		check.Message = "It was not done within the time that this server gives a submission."
	case !r.OK():
		check.Message = r.Mismatch[0]
	default:
		check.Status = octopus.CheckOK
	}
	return check
}

// testParams completes the parameters of a case as a run would.
func testParams(m spec.Manifest, test spec.Test) (json.RawMessage, error) {
	action, ok := m.Action(test.Action)
	if !ok {
		return nil, octopus.Errorf(octopus.CodeInvalid, "There is no action %q in the manifest.", test.Action)
	}
	schema, err := CompileParams(action.Params)
	if err != nil {
		return nil, errors.New("the schema of the parameters is not usable")
	}
	return schema.Check(test.Params)
}
