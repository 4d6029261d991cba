package catalog

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"octopus/internal/octopus"
)

// When a version on trial is worse than the one before it. docs/rationale.md says why these.
const (
	minOutcomes = 20    // of each of the two, before anything is said
	minRise     = 0.01  // by how much the share of failures must have risen
	maxChance   = 0.001 // how probable such a rise, or a larger one, may be if both were equally good
)

// TrialSize is how many executions of each version are compared at least.
const TrialSize = minOutcomes

// Judge compares the versions of a plugin that are on trial with the ones before them, and holds those that fail more
// often. It is safe to call from several servers at once. An empty name is every plugin of which something was counted.
func (c *Catalog) Judge(ctx context.Context, name string) error {
	if name != "" {
		return c.judge(ctx, name)
	}
	names, err := c.store.Compared(ctx)
	for _, name := range names {
		if err == nil {
			err = c.judge(ctx, name)
		}
	}
	return err
}

func (c *Catalog) judge(ctx context.Context, name string) error {
	p, err := c.store.Plugin(ctx, name)
	if err != nil {
		return fmt.Errorf("comparison of %s: %w", name, err)
	}
	outcomes, err := c.store.Outcomes(ctx, name)
	if err != nil {
		return fmt.Errorf("comparison of %s: %w", name, err)
	}
	now := c.now()
	for _, v := range p.Versions {
		before, ok := c.before(ctx, p, v)
		if !ok || !v.OnTrial(now) || !worse(outcomes[v.Digest], outcomes[before.Digest]) {
			continue
		}
		why := failures(outcomes[v.Digest], outcomes[before.Digest]) + " with " + before.Version + "."
		err := c.move(ctx, name, System, held(v, why))
		if octopus.CodeOf(err) == octopus.CodeConflict {
			continue // a person or another server was faster
		}
		if err != nil {
			return fmt.Errorf("hold %s %s: %w", name, v.Version, err)
		}
		c.log.Warn("a plugin version fails more often than the one before and is held", "plugin", name, "version", v.Version, "why", why)
	}
	return nil
}

// before is the version that runs would get if v were not there: the highest below it that may run.
func (c *Catalog) before(ctx context.Context, p octopus.Plugin, v octopus.PluginVersion) (octopus.PluginVersion, bool) {
	for _, other := range p.Versions { // newest first
		if compare(other.Version, v.Version) < 0 && !other.Held && Follows(other) && len(c.MissingGrants(ctx, other)) == 0 {
			return other, true
		}
	}
	return octopus.PluginVersion{}, false
}

// failures is a comparison in words: "6 of 24 executions failed (25 %), against 2 of 480 (0.4 %)".
func failures(trial, before octopus.Tally) string {
	percent := func(t octopus.Tally) string { return strconv.FormatFloat(math.Round(t.Rate()*1000)/10, 'f', -1, 64) }
	return fmt.Sprintf("%d of %d executions failed (%s %%), against %d of %d (%s %%)", trial.Failed, trial.Total(), percent(trial),
		before.Failed, before.Total(), percent(before))
}

// worse reports whether a version fails more often than the one before it, by more than chance.
func worse(trial, before octopus.Tally) bool {
	if trial.Total() < minOutcomes || before.Total() < minOutcomes || trial.Rate()-before.Rate() < minRise {
		return false
	}
	return chance(trial, before) < maxChance
}

// chance is Fisher's exact test, one-sided: if both versions failed equally often, how probable would it be that at
// least so many of the failures there were fell upon the one on trial? It is exact also where failures are rare, where
// the usual normal approximation finds a single one significant.
func chance(trial, before octopus.Tally) float64 {
	all, failed, drawn := trial.Total()+before.Total(), trial.Failed+before.Failed, trial.Total()
	whole := logChoose(all, drawn)
	p := 0.0
	for k := trial.Failed; k <= min(failed, drawn); k++ {
		term := math.Exp(logChoose(failed, k) + logChoose(all-failed, drawn-k) - whole)
		p += term
		if term < p*1e-12 {
			break // beyond the mode each term is smaller than the one before it
		}
	}
	return p
}

// logChoose is the logarithm of the binomial coefficient, -Inf where it is 0.
func logChoose(n, k int64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
