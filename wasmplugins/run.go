package wasmplugins

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func (j Job) withDefaults() Job {
	if j.Memory == 0 {
		j.Memory = DefaultMemory
	}
	j.Memory = (j.Memory + pageSize - 1) / pageSize * pageSize
	if j.Timeout <= 0 {
		j.Timeout = DefaultTimeout
	}
	if j.Stdout <= 0 {
		j.Stdout = DefaultStdout
	}
	if j.Log.Bytes <= 0 {
		j.Log.Bytes = DefaultLog
	}
	if j.Log.LinesPerSecond <= 0 {
		j.Log.LinesPerSecond = DefaultRate
	}
	return j
}

// check refuses a job that no runner could take.
func (j Job) check() error {
	switch {
	case j.Memory > MaxMemory:
		return refuse("memory_limit", "The memory limit is %d MiB; at most %d MiB are allowed.", j.Memory>>20, MaxMemory>>20)
	case j.Stdout > MaxStdout:
		return refuse("output_limit", "The output limit is %d MiB; at most %d MiB are allowed.", j.Stdout>>20, MaxStdout>>20)
	case len(j.Request) > maxRequest:
		return refuse("too_big", "The request is %d bytes long; at most %d are allowed.", len(j.Request), maxRequest)
	}
	return j.Repeat.check()
}

// maxRequest is what a guest may have on standard input, in bytes.
const maxRequest = 8 << 20

// Run executes a job and returns when it has ended and its runner is either
// idle again or dead. Cancelling ctx kills the runner at once.
func (p *Pool) Run(ctx context.Context, job Job, broker Broker) Outcome {
	called := time.Now()
	job = job.withDefaults()
	if broker == nil {
		broker = DenyAll
	}
	c, prepared, err := p.runner(ctx, job)
	if err != nil {
		return notStarted(ctx, err)
	}
	if job.OnReady != nil {
		err = job.OnReady(prepared)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		p.release(c)
		return notStarted(ctx, fmt.Errorf("start: %w", err))
	}
	e := &execution{pool: p, job: job, broker: broker, c: c, ctx: ctx}
	out := e.run()
	out.ReadyTime = out.Started.Sub(called)
	c.used += out.GuestTime
	if e.dead {
		p.discard(c)
	} else {
		p.release(c)
	}
	return out
}

// runner has the module compiled and returns a runner that has it loaded. A
// compiled module that a runner cannot use (the processor changed, the file
// is damaged) is compiled again, once.
func (p *Pool) runner(ctx context.Context, job Job) (c *child, prepared Prepared, err error) {
	if err := job.check(); err != nil {
		return nil, prepared, err
	}
	k := key{job.form(), job.Memory, job.Repeat.key()}
	p.mu.Lock()
	c = p.takeIdle(k, job.Timeout)
	p.mu.Unlock()
	if c != nil {
		return c, Prepared{Warm: true}, nil
	}
	for again := false; ; again = true {
		prep, err := p.prepare(ctx, k.form, job.Memory, false)
		if err != nil {
			return nil, prepared, err
		}
		if prep.Compiled {
			prepared = prep
		}
		c, warm, err := p.acquire(ctx, k, job.Timeout)
		var said *helloError
		switch {
		case err == nil:
			prepared.Warm = warm
			return c, prepared, nil
		case again || ctx.Err() != nil || !errors.As(err, &said) && !errors.Is(err, errNotCompiled):
			return nil, prepared, err
		}
		p.c.Log.Warn("a compiled module is compiled again", "digest", job.Digest, "error", err)
		code, _, err := p.codeForm(ctx, k.form)
		if err == nil {
			err = p.cache.drop(code)
		}
		if err != nil {
			return nil, prepared, err
		}
	}
}
