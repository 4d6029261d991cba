package wasmplugins

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"
)

// chacha7 is the begin of ChaCha8 with the seed 7, tick that of the runner's clock.
const (
	chacha7 = "0e42d4cae8864908e0b8c7520e360aa4"
	tick    = time.Microsecond
)

// TestRepeat: with a frozen clock and a seed an execution finds the same each time, whatever ran before; sleeping moves
// the clock. The bytes are known here, so that they stay the same over versions.
func TestRepeat(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "moment")
	at, seven, eight := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), uint64(7), uint64(8)
	run := func(r Repeat) []byte {
		t.Helper()
		out := p.Run(t.Context(), Job{Digest: digests["moment"], Repeat: r}, nil)
		if out.Err != nil || len(out.Raw) != 40 {
			t.Fatalf("%+v", out)
		}
		return out.Raw
	}
	number := func(b []byte) time.Duration { return time.Duration(binary.LittleEndian.Uint64(b)) }

	first := run(Repeat{Clock: at, Seed: &seven, Instant: true})
	if wall, mono := number(first), number(first[8:]); wall != time.Duration(at.UnixNano())+tick || mono != 2*tick {
		t.Errorf("the clocks say %d and %d", wall, mono)
	}
	if slept := number(first[32:]) - number(first); slept < time.Hour || slept > time.Hour+time.Millisecond {
		t.Errorf("an hour of sleep took %s of the clock", slept)
	}
	if random := hex.EncodeToString(first[16:32]); random != chacha7 {
		t.Errorf("the seed 7 gives %s", random)
	}
	for range 2 {
		if again := run(Repeat{Clock: at, Seed: &seven, Instant: true}); !bytes.Equal(again, first) {
			t.Errorf("%x, then %x", first, again)
		}
	}
	if other := run(Repeat{Clock: at, Seed: &eight, Instant: true}); bytes.Equal(other[16:32], first[16:32]) {
		t.Error("another seed gives the same")
	}
	unseeded := run(Repeat{Clock: at, Instant: true})
	if bytes.Equal(unseeded[16:32], first[16:32]) || !bytes.Equal(unseeded[:16], first[:16]) {
		t.Errorf("a clock without a seed: %x", unseeded)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) != 0 || p.count != 0 {
		t.Errorf("%d runners wait that no other job may have, %d are counted", len(p.idle), p.count)
	}
}

// TestRepeatSleeps: where sleeping is not instant it takes its time, and ends with the timeout.
func TestRepeatSleeps(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "moment")
	out := p.Run(t.Context(), Job{Digest: digests["moment"], Timeout: time.Second, Repeat: Repeat{Clock: time.Unix(1, 0)}}, nil)
	if out.Response.Error == nil || out.Response.Error.Code != "timeout" {
		t.Errorf("%+v", out)
	}
}

func TestClockThatCannotBe(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "moment")
	out := p.Run(t.Context(), Job{Digest: digests["moment"], Repeat: Repeat{Clock: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}}, nil)
	if out.Response.Error == nil || out.Response.Error.Code != "refused" || !out.Started.IsZero() {
		t.Errorf("%+v", out)
	}
}
