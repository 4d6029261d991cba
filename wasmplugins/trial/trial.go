package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// Result is how one test case went.
type Result struct {
	Name     string
	Outcome  wasmplugins.Outcome
	Mismatch []string // what was not as expected, one sentence each
}

// OK reports whether the response was as expected.
func (r Result) OK() bool { return len(r.Mismatch) == 0 }

// Run carries out one test case. Params must have their defaults already. The
// pool must be able to load the digest.
func Run(ctx context.Context, pool *wasmplugins.Pool, digest string, m spec.Manifest, test spec.Test, params json.RawMessage) Result {
	return RunScript(ctx, pool, digest, nil, m, test, params)
}

// RunScript is Run for a script that is not packed: digest is that of its
// engine.
func RunScript(ctx context.Context, pool *wasmplugins.Pool, digest string, script []byte, m spec.Manifest, test spec.Test, params json.RawMessage) Result {
	request, err := json.Marshal(spec.Request{
		ABI: spec.ABI, Action: test.Action, Params: params, Config: test.Config,
		Execution: spec.RequestExecution{ID: "test", Run: "test", Attempt: 1},
	})
	if err != nil {
		return Result{Name: test.Name, Mismatch: []string{"The request cannot be made: " + err.Error() + "."}}
	}
	b := NewBrokerOf(test.Fakes, m.Capabilities)
	out := pool.Run(ctx, wasmplugins.Job{
		Digest: digest, Script: script, Memory: uint64(m.Limits.Memory), Stdout: int64(m.Limits.Stdout), Fuel: m.Limits.Fuel,
		Timeout: time.Duration(m.Limits.Timeout), Request: request,
		Repeat: wasmplugins.Repeat{Clock: test.Clock, Seed: test.Seed, Instant: true},
	}, b)
	r := Result{Name: test.Name, Outcome: out}
	for _, o := range b.Outside() {
		if o.Faked { // a case that means to be denied fakes no answer
			r.Mismatch = append(r.Mismatch, o.Sentence())
		}
	}
	r.Mismatch = append(r.Mismatch, Compare(test.Expect, out.Response)...)
	return r
}

// Compare says what of a response is not as expected.
func Compare(want spec.Expect, got spec.Response) (mismatch []string) {
	differs := func(what string, want, got any) {
		mismatch = append(mismatch, fmt.Sprintf("The %s is %v, not %v.", what, got, want))
	}
	if want.StatusCode != 0 && got.StatusCode != want.StatusCode {
		differs("status", want.StatusCode, fmt.Sprintf("%d (%s)", got.StatusCode, got.Message))
	}
	if want.Message != "" && got.Message != want.Message {
		differs("message", fmt.Sprintf("%q", want.Message), fmt.Sprintf("%q", got.Message))
	}
	code := ""
	if got.Error != nil {
		code = got.Error.Code
	}
	if want.ErrorCode != "" && code != want.ErrorCode {
		differs("error code", fmt.Sprintf("%q", want.ErrorCode), fmt.Sprintf("%q", code))
	}
	if len(want.Result) > 0 && !contains(decode(got.Result), decode(want.Result)) {
		differs("result", string(want.Result), string(got.Result))
	}
	return mismatch
}

func decode(raw json.RawMessage) (v any) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// contains reports whether all that want names is in got: objects may have
// more members, anything else must be equal.
func contains(got, want any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	g, ok := got.(map[string]any)
	if !ok {
		return false
	}
	for k, v := range w {
		member, ok := g[k]
		if !ok || !contains(member, v) {
			return false
		}
	}
	return true
}
