package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"octopus/agent/broker"
	"octopus/agent/redact"
	"octopus/wasmplugins"
)

// host is what answers the host calls of a local run: the broker itself, with a recorder before it, or a record in its
// place, whose clock and seed are then in head. finish is called after the run; its error is for people.
func (r localRun) host(b *broker.Broker, head *broker.RecordHead, hidden *redact.Redactor, onCall func(broker.Record)) (host wasmplugins.Broker, finish func() error, err error) {
	switch {
	case r.record != "":
		f, err := os.OpenFile(r.record, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, nil, usagef("--record: %s cannot be written: %v.", r.record, err)
		}
		recorder := broker.NewRecorder(b, f, *head, hidden)
		return recorder, func() error {
			err := recorder.Err()
			if closed := f.Close(); err == nil {
				err = closed
			}
			if err != nil {
				return fmt.Errorf("%s is not the whole record: %w", r.record, err)
			}
			return nil
		}, nil
	case r.replay != "":
		f, err := os.Open(r.replay)
		if err != nil {
			return nil, nil, usagef("--replay: %s cannot be read: %v.", r.replay, err)
		}
		defer f.Close()
		replay, err := broker.ReadRecord(f)
		if err != nil {
			return nil, nil, usagef("--replay: %s: %v.", r.replay, err)
		}
		was := replay.Head()
		if was.Action != head.Action {
			return nil, nil, usagef("--replay: %s was recorded with --action %s, not %s.", r.replay, was.Action, head.Action)
		}
		head.Clock, head.Seed = was.Clock, was.Seed
		replay.OnCall(onCall)
		return replay, replay.Err, nil
	}
	return b, func() error { return nil }, nil
}

// repeat is what --clock and --seed say. A run that is recorded has a clock and a seed in any case: the ones of now.
func (r localRun) repeat() (out wasmplugins.Repeat, err error) {
	if out.Clock, err = clockOf(r.clock); err != nil {
		return out, err
	}
	if out.Seed, err = seedOf(r.seed); err != nil {
		return out, err
	}
	if r.record != "" && out.Clock.IsZero() {
		out.Clock = time.Now().UTC().Truncate(time.Second)
	}
	if r.record != "" && out.Seed == nil {
		out.Seed = new(rand.Uint64() >> 11) // a number that any JSON reader keeps
	}
	return out, nil
}
