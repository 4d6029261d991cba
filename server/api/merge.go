package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// mergePatch applies a JSON merge patch (RFC 7396) to params: objects are merged, null removes, anything else
// replaces.
func mergePatch(params, patch json.RawMessage) (json.RawMessage, error) {
	var base, change any
	if len(params) > 0 {
		if err := decodeNumbers(params, &base); err != nil {
			base = nil
		}
	}
	if err := decodeNumbers(patch, &change); err != nil {
		return nil, octopus.InvalidField("/params", "The parameters are not valid JSON.")
	}
	if _, ok := change.(map[string]any); !ok {
		return nil, octopus.InvalidField("/params", "The parameters must be a JSON object.")
	}
	return json.Marshal(merge(base, change))
}

func merge(base, change any) any {
	patch, ok := change.(map[string]any)
	if !ok {
		return change
	}
	out := map[string]any{}
	if object, ok := base.(map[string]any); ok {
		maps.Copy(out, object)
	}
	for key, value := range patch {
		if value == nil {
			delete(out, key)
			continue
		}
		out[key] = merge(out[key], value)
	}
	return out
}

func decodeNumbers(data []byte, into *any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(into)
}

// patchTask returns t with the fields of p; nil leaves a field alone. Masked secrets stay what they are.
func (a *API) patchTask(ctx context.Context, t octopus.Task, p sdk.TaskPatch) (octopus.Task, error) {
	if p.Name != nil {
		t.Name = strings.TrimSpace(*p.Name)
	}
	set(&t.Description, p.Description)
	set(&t.Folder, p.Folder)
	set(&t.Enabled, p.Enabled)
	if p.Labels != nil {
		labels := maps.Clone(t.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		for k, v := range p.Labels {
			if v == nil {
				delete(labels, k)
			} else {
				labels[k] = *v
			}
		}
		t.Labels = labels
	}
	return t, a.patchWork(ctx, &t.Work, p)
}

func (a *API) patchWork(ctx context.Context, w *octopus.Work, p sdk.TaskPatch) error {
	set(&w.Plugin, p.Plugin)
	set(&w.Version, p.Version)
	set(&w.Action, p.Action)
	set(&w.MaxAttempts, p.MaxAttempts)
	set(&w.Priority, p.Priority)
	set(&w.DryRun, p.DryRun)
	if p.Fuel != nil {
		w.Fuel = uint64(max(*p.Fuel, 0))
	}
	if p.Sandbox != nil {
		w.Sandbox = octopus.SandboxLevel(*p.Sandbox)
	}
	if err := patchRepeat(&w.Repeat, p.Clock, p.Seed); err != nil {
		return err
	}
	if p.Target != nil {
		if err := checkTarget(*p.Target); err != nil {
			return err
		}
		w.Target = fromTarget(*p.Target)
	}
	if p.OnLost != nil {
		w.OnLost = octopus.OnLost(*p.OnLost)
	}
	for _, d := range []struct {
		into *float64
		set  func(float64)
	}{
		{p.TimeoutSeconds, func(s float64) { w.Timeout = duration(s) }},
		{p.DeadlineSeconds, func(s float64) { w.Deadline = duration(s) }},
		{p.WaitTTLSeconds, func(s float64) { w.WaitTTL = duration(s) }},
		{p.LostAfterSeconds, func(s float64) { w.LostAfter = duration(s) }},
	} {
		if d.into != nil {
			d.set(*d.into)
		}
	}
	if len(p.Params) == 0 {
		return nil
	}
	stored := w.Params
	merged, err := mergePatch(stored, p.Params)
	if err != nil {
		return err
	}
	w.Params = merged
	if digest, err := a.digest(ctx, *w); err == nil {
		w.Params, err = a.catalog.Unmask(ctx, digest, w.Action, merged, stored)
		return err
	}
	return nil
}

// patchRepeat takes over a clock and a seed; null is the real ones.
func patchRepeat(r *octopus.Repeat, clock, seed json.RawMessage) error {
	if len(clock) > 0 {
		var at *time.Time
		if err := json.Unmarshal(clock, &at); err != nil {
			return octopus.InvalidField("/clock", "The clock is a time such as \"2026-01-01T00:00:00Z\", or null for the real one.")
		}
		r.Clock = time.Time{}
		if at != nil {
			if err := octopus.CheckClock(*at); err != nil {
				return err
			}
			r.Clock = at.UTC()
		}
	}
	if len(seed) > 0 {
		r.Seed = nil
		if err := json.Unmarshal(seed, &r.Seed); err != nil {
			return octopus.InvalidField("/seed", "The seed is a whole number from 0 to %d, or null for real random numbers.", uint64(math.MaxUint64))
		}
	}
	return nil
}

// set copies a value that was sent.
func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}
