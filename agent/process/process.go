package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Spec is what to run.
type Spec struct {
	// Argv is the program, an absolute path, and its arguments.
	Argv []string
	// Dir is where it runs. Defaults to the root folder.
	Dir string
	// Env is NAME=value; later ones win. A PATH, and what the system needs to start a program, come before them; nothing
	// of this process's own environment does.
	Env []string
	// Stdin is what it reads. Defaults to nothing.
	Stdin []byte
	// Timeout ends it. Zero is none but ctx.
	Timeout time.Duration
	// Output is how many bytes of standard output, and of standard error, are kept; what is more is read and dropped.
	Output int64
	// Ask asks it to end, where the system can (SIGTERM to its group). Defaults to never.
	Ask <-chan struct{}
}

// Result is how it ended.
type Result struct {
	ExitCode int    // -1 where it was killed
	Signal   string // that ended it, "" otherwise
	TimedOut bool
	Stdout   Output
	Stderr   Output
	Duration time.Duration
}

// Output is what a program printed, its head where there was more.
type Output struct {
	Bytes     []byte
	Truncated bool
}

// drain is how long what was printed is waited for after the program ended: somebody who left the group may hold the
// pipe.
const drain = time.Second

// Run runs a program to its end. When ctx ends it is killed, with all that it started and that stayed in its group; so
// is what it leaves behind when it ends by itself. The error says why it could not be started, or is ctx's.
func Run(ctx context.Context, s Spec) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	// The signal that ends the program with this process follows the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := start(s)
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	stop := context.AfterFunc(ctx, r.kill)
	defer stop()
	var timer *time.Timer
	if s.Timeout > 0 {
		timer = time.AfterFunc(s.Timeout, r.expire)
		defer timer.Stop()
	}
	asked := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(asked)
		select {
		case <-s.Ask:
			r.ask()
		case <-ended:
		}
	}()
	res := r.wait()
	close(ended)
	<-asked
	res.Duration = time.Since(began)
	if err := ctx.Err(); err != nil {
		return res, err
	}
	return res, nil
}

// running is one program.
type running struct {
	cmd   *exec.Cmd
	group group
	out   *sink
	err   *sink
	in    *os.File // its standard input's other end, nil for none
	feed  chan struct{}

	mu      sync.Mutex // guards what follows
	over    bool       // it was waited for: its id may be another's
	expired bool
}

func start(s Spec) (*running, error) {
	r := &running{cmd: exec.Command(s.Argv[0], s.Argv[1:]...), feed: make(chan struct{})}
	r.cmd.Dir, r.cmd.Env = s.Dir, append(baseEnv(), s.Env...)
	if r.cmd.Dir == "" {
		r.cmd.Dir = rootDir()
	}
	prepare(r.cmd)
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	for _, to := range []**sink{&r.out, &r.err} {
		read, write, err := os.Pipe()
		if err != nil {
			r.close()
			return nil, fmt.Errorf("pipe: %w", err)
		}
		*to = newSink(read, s.Output)
		theirs = append(theirs, write)
	}
	r.cmd.Stdout, r.cmd.Stderr = theirs[0], theirs[1]
	if len(s.Stdin) > 0 {
		read, write, err := os.Pipe()
		if err != nil {
			r.close()
			return nil, fmt.Errorf("pipe: %w", err)
		}
		r.cmd.Stdin, r.in = read, write
		theirs = append(theirs, read)
	}
	err := r.cmd.Start()
	if err == nil {
		err = r.group.hold(r.cmd.Process)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	go r.write(s.Stdin)
	return r, nil
}

// close gives everything back of a program that did not start.
func (r *running) close() {
	if r.cmd.Process != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
	for _, s := range []*sink{r.out, r.err} {
		if s != nil {
			s.finish(0)
		}
	}
	if r.in != nil {
		r.in.Close()
	}
}

// write feeds standard input. A program that does not read it ends the write by ending.
func (r *running) write(stdin []byte) {
	defer close(r.feed)
	if r.in != nil {
		_, _ = r.in.Write(stdin) // it need not read to its end
		r.in.Close()
	}
}

// wait waits for the program, ends what it leaves behind, and collects what was printed.
func (r *running) wait() Result {
	awaitExit(r.cmd.Process)
	r.mu.Lock()
	r.group.kill()
	err := r.cmd.Wait() // at once: it has ended
	r.over = true
	expired := r.expired
	r.mu.Unlock()
	r.group.release()
	if r.in != nil {
		_ = r.in.SetWriteDeadline(time.Now())
	}
	<-r.feed
	deadline := time.Now().Add(drain)
	res := Result{ExitCode: r.cmd.ProcessState.ExitCode(), TimedOut: expired}
	res.Stdout, res.Stderr = r.out.finish(time.Until(deadline)), r.err.finish(time.Until(deadline))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		res.Signal = signalOf(exit.ProcessState)
	}
	return res
}

// kill ends the program with its group, unless it has been waited for.
func (r *running) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.group.kill()
	}
}

func (r *running) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.expired = true
		r.group.kill()
	}
}

func (r *running) ask() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.group.ask()
	}
}
