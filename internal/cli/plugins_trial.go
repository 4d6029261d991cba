package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk/spec"
	"octopus/server/catalog"
	"octopus/wasmplugins"
	"octopus/wasmplugins/trial"
)

// trialReport is one line of `plugins test`.
type trialReport struct {
	Name       string   `json:"name"`
	OK         bool     `json:"ok"`
	Mismatch   []string `json:"mismatch,omitempty"`
	DurationMS float64  `json:"duration_ms"`
	PeakMemory uint64   `json:"peak_memory_bytes"`
}

func (a *app) pluginTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE.wasm",
		Short: "Run the test cases of a module's manifest, with faked host calls",
		Long: `Run the cases under "tests" in the manifest, in the sandbox of an agent. Host calls get the answers that the
case's "fakes" name; nothing leaves this machine.`,
		Args: exactly("FILE.wasm"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := readModule(args[0])
			if err != nil {
				return err
			}
			if m.manifest == nil {
				return usagef("%s holds no manifest: pack it first with octopus plugins pack.", args[0])
			}
			return a.testModule(cmd.Context(), m)
		},
	}
}

func (a *app) testModule(ctx context.Context, m module) error {
	pool, err := localPool(m)
	if err != nil {
		return err
	}
	defer pool.Close()
	reports, failed := []trialReport{}, 0
	for _, test := range m.manifest.Tests {
		r := runTrial(ctx, pool, m, test)
		if !r.OK {
			failed++
		}
		reports = append(reports, r)
	}
	if err := a.print(reports, func(t *tabwriter.Writer) { trialTable(t, reports) }); err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "%d cases, %d failed\n", len(reports), failed)
	if failed > 0 {
		return exitError{code: ExitFailed}
	}
	return nil
}

// runTrial completes the parameters as a server would, and runs the case.
func runTrial(ctx context.Context, pool *wasmplugins.Pool, m module, test spec.Test) trialReport {
	params, err := completeParams(m.manifest, test.Action, test.Params)
	if err != nil {
		return trialReport{Name: test.Name, Mismatch: []string{err.Error()}}
	}
	r := trial.Run(ctx, pool, wasmplugins.Digest(m.bytes), *m.manifest, test, params)
	return trialReport{
		Name: test.Name, OK: r.OK(), Mismatch: r.Mismatch,
		DurationMS: float64(r.Outcome.GuestTime.Round(time.Microsecond)) / float64(time.Millisecond), PeakMemory: r.Outcome.PeakMemory,
	}
}

func trialTable(t *tabwriter.Writer, reports []trialReport) {
	row(t, "CASE", "RESULT", "MS", "MEMORY")
	for _, r := range reports {
		word := "ok"
		if !r.OK {
			word = "failed"
		}
		row(t, r.Name, word, fmt.Sprintf("%.1f", r.DurationMS), fmt.Sprintf("%.1f MiB", float64(r.PeakMemory)/(1<<20)))
		for _, m := range r.Mismatch {
			row(t, "  "+m)
		}
	}
}

// completeParams fills in defaults and checks params with the schema of an action that the manifest has.
func completeParams(m *spec.Manifest, action string, params json.RawMessage) (json.RawMessage, error) {
	found, ok := m.Action(action)
	if !ok {
		return nil, usagef("There is no action %q in the manifest.", action)
	}
	schema, err := catalog.CompileParams(found.Params)
	if err != nil {
		return nil, usagef("The schema of the parameters of %s is not usable: %v.", action, err)
	}
	return schema.Check(params)
}
