package wasmplugins

import (
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/sdk/spec"
)

// A runner that the kernel kills for its memory is told as the memory fault that it is, and the next one is fine.
func TestKilledByItsGroup(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "loop", "noop")
	level := p.Level()
	if !slices.Contains(level.Has, hasMemory) {
		why := slices.IndexFunc(level.Without, func(s string) bool { return strings.HasPrefix(s, hasMemory) })
		if why < 0 {
			t.Fatalf("neither there nor missed: %+v", level)
		}
		t.Skip(level.Without[why])
	}
	squeeze := func(Prepared) error {
		for _, c := range p.childList() {
			if err := c.group.Limit(1 << 20); err != nil { // it has more, and cannot give it back
				t.Error(err)
			}
		}
		return nil
	}
	out := p.Run(t.Context(), Job{Digest: digests["loop"], Timeout: time.Minute, OnReady: squeeze}, nil)
	failed(t, out, 507, spec.CodeMemoryLimit)
	if out := p.Run(t.Context(), Job{Digest: digests["noop"]}, nil); out.Response.StatusCode != 200 {
		t.Errorf("noop afterwards: %+v, %v", out.Response, out.Err)
	}
}

// The level says of every layer that this system could have whether it is there, and why not.
func TestLevelNamesWhatItIsWithout(t *testing.T) {
	t.Parallel()
	p, _ := newPool(t, PoolConfig{}, "noop")
	level := p.Level()
	if slices.Contains(level.Has, hasMemory) {
		return
	}
	if !slices.ContainsFunc(level.Without, func(s string) bool { return len(s) > len(hasMemory)+2 && strings.HasPrefix(s, hasMemory+": ") }) {
		t.Errorf("%+v does not say why there is no %s", level, hasMemory)
	}
	for _, s := range level.Without {
		if strings.ContainsAny(s, "\n\r") {
			t.Errorf("%q is not one line", s)
		}
	}
}
