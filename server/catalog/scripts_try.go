package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
	"octopus/wasmplugins/trial"
)

// Bounds of what a try keeps.
const (
	maxTryLines = 500
	maxTryCalls = 200
	maxCallText = 4 << 10 // bytes of a request or a reply
	maxFakes    = 256 << 10
)

// Try asks for one run of a script.
type Try struct {
	Action string
	Params json.RawMessage
	// Fakes are the answers to host calls, as YAML or JSON in the form of a test case's fakes. Nothing else answers:
	// a try reaches no network, no file and no store.
	Fakes string
	// DryRun is what the script finds in its request.
	DryRun bool
}

// Tried is how such a run went.
type Tried struct {
	Response spec.Response
	Log      []string
	Calls    []HostCall
	Took     time.Duration
	Memory   uint64 // bytes at most
	Cut      bool   // of log or calls not all was kept
	Outside  string // the calls that the manifest does not ask for, in one sentence; "" without
}

// HostCall is what a script asked of the host, and what it was told.
type HostCall struct{ Op, Request, Reply string }

// TryScript runs a script once with faked host calls. With faults nothing is run; parameters that do not fit the
// action, and fakes that cannot be read, are CodeInvalid.
func (c *Catalog) TryScript(ctx context.Context, s Script, t Try) (faults []Fault, out Tried, err error) {
	fakes, err := readFakes(t.Fakes)
	if err != nil {
		return nil, out, err
	}
	err = c.draft(ctx, func(ctx context.Context, pool *wasmplugins.Pool, engine string) error {
		if faults, err = c.checkScript(ctx, pool, engine, s); err != nil || len(faults) > 0 {
			return err
		}
		_, m, _ := s.read()
		out, err = runTry(ctx, pool, engine, s, m, t, fakes)
		return err
	})
	return faults, out, err
}

func readFakes(source string) (f spec.Fakes, err error) {
	if len(source) > maxFakes {
		return f, octopus.InvalidField("/fakes", "The answers are over %d KiB.", maxFakes>>10)
	}
	if len(bytes.TrimSpace([]byte(source))) == 0 {
		return f, nil
	}
	raw, err := manifest.JSON([]byte(source))
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		err = d.Decode(&f)
	}
	if err != nil {
		return f, octopus.InvalidField("/fakes", "The answers to host calls cannot be read: %v. They have the form of fakes in a test case.", err)
	}
	return f, nil
}

func runTry(ctx context.Context, pool *wasmplugins.Pool, engine string, s Script, m spec.Manifest, t Try, fakes spec.Fakes) (out Tried, err error) {
	params, err := testParams(m, spec.Test{Action: t.Action, Params: t.Params})
	if err != nil {
		return out, err
	}
	request, err := json.Marshal(spec.Request{
		ABI: spec.ABI, Action: t.Action, Params: params, Execution: spec.RequestExecution{ID: "try", Run: "try", Attempt: 1, DryRun: t.DryRun},
	})
	if err != nil {
		return out, err
	}
	answers := trial.NewBrokerOf(fakes, m.Capabilities)
	w := &witness{answers: answers, out: &out}
	got := pool.Run(ctx, wasmplugins.Job{
		Digest: engine, Script: []byte(s.Source), Memory: uint64(m.Limits.Memory), Stdout: int64(m.Limits.Stdout), Fuel: m.Limits.Fuel,
		Timeout: min(time.Duration(m.Limits.Timeout), trialTimeout), Request: request, OnLog: w.log,
	}, w)
	if err := failedHere(ctx, got); err != nil {
		return out, err
	}
	out.Response, out.Took, out.Memory = got.Response, got.GuestTime, got.PeakMemory
	out.Cut = out.Cut || got.LogTruncated
	out.Outside = outside(answers.Outside())
	return out, nil
}

// outside says in one sentence which calls were outside the manifest.
func outside(calls []trial.Outside) string {
	if len(calls) == 0 {
		return ""
	}
	more := ""
	if n := len(calls) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("The script asked for %s%s, which its manifest does not ask for: every agent denies it.", calls[0].What, more)
}

// witness notes what happens during a try, on the goroutine that runs it.
type witness struct {
	answers wasmplugins.Broker
	out     *Tried
}

func (w *witness) log(lines []wasmplugins.LogLine) {
	for _, l := range lines {
		if len(w.out.Log) >= maxTryLines {
			w.out.Cut = true
			return
		}
		w.out.Log = append(w.out.Log, l.Text)
	}
}

// Call passes an operation on and keeps both sides of it.
func (w *witness) Call(ctx context.Context, op string, req []byte) ([]byte, error) {
	reply, err := w.answers.Call(ctx, op, req)
	if len(w.out.Calls) >= maxTryCalls {
		w.out.Cut = true
		return reply, err
	}
	said := excerpt(reply)
	var refused *wasmplugins.OpError
	if errors.As(err, &refused) {
		said = refused.Code + ": " + refused.Message
	}
	w.out.Calls = append(w.out.Calls, HostCall{Op: op, Request: excerpt(req), Reply: said})
	return reply, err
}

func excerpt(b []byte) string {
	if len(b) > maxCallText {
		return string(bytes.ToValidUTF8(b[:maxCallText], nil)) + " …"
	}
	return string(bytes.ToValidUTF8(b, []byte("?")))
}
