package wasmplugins

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"octopus/sdk/spec"
	"octopus/wasmplugins/internal/frame"
)

// execution is one guest running in one runner, seen from the pool. It
// belongs to the goroutine of Run; kill may come from timers.
type execution struct {
	pool   *Pool
	job    Job
	broker Broker
	c      *child
	ctx    context.Context

	out    Outcome
	stdout spill
	calls  throttle
	notes  notes
	logged int64     // bytes of log so far
	line   time.Time // of the newest line; the start, before any
	frames int       // that were neither output nor calls
	finish frame.Finish
	used   uint64 // fuel, as far as the guest told while it ran
	dead   bool   // the runner must not be used again

	callCtx    context.Context // made for the first host call
	callCancel context.CancelFunc

	mu     sync.Mutex
	ended  bool
	killed string // why: a code of spec
}

// run drives the guest to its end.
func (e *execution) run() Outcome {
	e.stdout.dir, e.stdout.limit = e.pool.cache.spill, e.job.Stdout
	defer e.stdout.close()
	e.out.Started = time.Now()
	e.line = e.out.Started
	timer := time.AfterFunc(e.job.Timeout, func() { e.kill(spec.CodeTimeout) })
	stop := context.AfterFunc(e.ctx, func() { e.kill(spec.CodeCancelled) })
	err := e.drive()
	e.out.GuestTime = time.Since(e.out.Started)
	e.mu.Lock()
	e.ended = true
	killed := e.killed
	e.mu.Unlock()
	timer.Stop()
	stop()
	if e.callCancel != nil {
		e.callCancel()
	}
	e.notes.flush(e.job.OnProgress)
	e.out.HostCalls = e.calls.n
	e.out.PeakMemory = min(e.finish.Peak, e.job.Memory)
	if e.c.key.fuel {
		e.out.Fuel = max(e.finish.Fuel, e.used)
		e.out.FuelAtLeast = e.out.Fuel > 0 && (err != nil || killed != "" || e.finish.Fault == spec.CodeTrap)
	}
	e.out.LogTruncated = e.finish.LogCut
	if err != nil || killed != "" {
		e.dead = true
		e.fail(killed, err)
	} else {
		e.out.GuestTime = min(e.out.GuestTime, max(time.Duration(e.finish.GuestNS), 0))
		e.conclude()
	}
	return e.out
}

// kill ends the runner, unless the guest has ended. The first reason wins.
func (e *execution) kill(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended || e.killed != "" {
		return
	}
	e.killed = why
	e.c.kill()
}

// drive starts the guest and serves it until it ends.
func (e *execution) drive() error {
	start := frame.Start{Stdout: uint64(e.job.Stdout), LogBytes: uint64(e.job.Log.Bytes),
		LogRate: uint32(e.job.Log.LinesPerSecond), Fuel: e.job.Fuel, Env: e.job.Env}
	if err := e.c.w.Write(frame.Run, start.Append(nil), e.job.Request); err != nil {
		return err
	}
	for {
		kind, payload, err := e.c.r.Next()
		if err != nil {
			return err
		}
		switch kind {
		case frame.Log:
			err = e.log(payload)
		case frame.Note:
			err = e.note(payload)
		case frame.Call:
			err = e.call(payload)
		case frame.Out:
			err = e.stdout.add(payload)
		case frame.Used:
			err = e.use(payload)
		case frame.End:
			return json.Unmarshal(payload, &e.finish)
		default:
			err = frame.ErrHostile
		}
		if err != nil {
			return err
		}
	}
}

// busy counts frames that an honest runner sends few of.
func (e *execution) busy() error {
	e.frames++
	if allowed := 1000 + int(200*time.Since(e.out.Started).Seconds()); e.frames > allowed {
		return fmt.Errorf("%d frames: %w", e.frames, frame.ErrHostile)
	}
	return nil
}

// log hands a batch on. The runner keeps to the caps; this catches one that
// does not.
func (e *execution) log(payload []byte) error {
	if e.logged += int64(len(payload)); e.logged > 2*e.job.Log.Bytes+frame.MaxLog {
		return fmt.Errorf("log of %d bytes: %w", e.logged, frame.ErrHostile)
	}
	if e.job.OnLog == nil {
		return e.busy()
	}
	var lines []LogLine
	err := frame.Lines(payload, func(at time.Time, text []byte) {
		lines = append(lines, LogLine{Time: e.when(at), Text: strings.ToValidUTF8(string(text), "\uFFFD"), Cut: len(text) >= frame.CutLine})
	})
	if len(lines) > 0 {
		e.job.OnLog(lines)
	}
	if err != nil {
		return err
	}
	return e.busy()
}

// when keeps a runner's time within its execution, and no earlier than the line before: wall clocks are set back, and
// those of two processors may differ.
func (e *execution) when(at time.Time) time.Time {
	if now := time.Now(); at.After(now) {
		at = now
	}
	if at.Before(e.line) {
		return e.line
	}
	e.line = at
	return at
}

// use takes what the guest has used of its fuel so far.
func (e *execution) use(payload []byte) error {
	used, err := frame.ParseUsed(payload)
	if err != nil {
		return err
	}
	if e.job.Fuel > 0 {
		used = min(used, e.job.Fuel)
	}
	e.used = max(e.used, used)
	return e.busy()
}

// note takes the JSON of a progress report.
func (e *execution) note(payload []byte) error {
	e.notes.add(payload, e.job.OnProgress)
	return e.busy()
}
