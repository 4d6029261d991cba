package wasmplugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"octopus/wasmplugins/internal/cgroup"
	"octopus/wasmplugins/internal/frame"
)

// overhead is what a runner takes beside its guest, for PoolConfig.MaxMemory,
// in bytes.
const overhead = 48 << 20

// key says which jobs a runner can serve.
type key struct {
	form
	memory uint64
	repeat repeat // of a runner for one job only
}

func (k key) cost() int64 { return int64(k.memory) + overhead }

// child is one runner process. Whoever has it off the idle list owns it;
// kill may be called by anyone.
type child struct {
	cmd    *exec.Cmd
	in     *os.File // its standard input
	out    *os.File // its standard output
	r      *frame.Reader
	w      *frame.Writer
	stderr *tail
	gone   chan struct{} // closed when it was reaped
	job    io.Closer     // Windows: the job object
	group  *cgroup.Group // Linux: nil where there is none
	// starved says that the kernel killed it for its memory. Set before gone is closed.
	starved bool
	forget  func() // macOS: removes the note of it

	key       key
	hello     frame.Hello
	cpu       time.Duration // what its processor limit allows
	used      time.Duration // guest time so far
	idleSince time.Time     // guarded by Pool.mu
	counted   bool          // guarded by Pool.mu
	idling    bool          // guarded by Pool.mu; an owner closes out itself
}

// tail keeps the last of what a runner wrote to standard error: Go's runtime
// says there why it died.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > tailSize {
		p = p[:tailSize]
	}
	if room := tailSize - len(t.buf); len(p) > room {
		p = p[:room] // the reason comes first, goroutines after it
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.buf), "?")
}

// spawn starts a runner and sends it its set-up. It is not ready yet.
func (p *Pool) spawn(s frame.Setup, module []byte) (*child, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		childIn.Close()
		in.Close()
		return nil, fmt.Errorf("pipe: %w", err)
	}
	c := &child{in: in, out: out, stderr: &tail{}, gone: make(chan struct{}),
		r: frame.NewReader(out, true), w: frame.NewWriter(in), cpu: time.Duration(s.CPU) * time.Second}
	c.cmd = exec.Command(p.c.Executable[0], p.c.Executable[1:]...)
	c.cmd.Env = runnerEnv()
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = childIn, childOut, c.stderr
	c.cmd.WaitDelay = time.Second
	prepareCommand(c.cmd, p.apart)
	if c.group, err = p.groups.New(groupLimits(s)); err == nil {
		err = p.launch(c)
	}
	childIn.Close()
	childOut.Close()
	if err != nil {
		c.group.Close()
		in.Close()
		out.Close()
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	// It waits for its set-up, so nothing hostile runs outside the group.
	if err := c.group.Add(c.cmd.Process.Pid); err != nil {
		return c, c.why(err)
	}
	s.Parent, s.Network = os.Getpid(), p.network
	s.UID, s.GID, s.Uncontained, s.Size = p.c.RunnerUID, p.c.RunnerGID, p.c.Uncontained, len(module)
	raw, err := json.Marshal(s)
	if err == nil {
		err = c.w.Write(frame.Init, raw)
	}
	if err == nil && len(module) > 0 {
		_, err = in.Write(module)
	}
	if err != nil {
		return c, c.why(fmt.Errorf("set-up: %w", err))
	}
	return c, nil
}

// launch starts the process and the goroutine that reaps it.
func (p *Pool) launch(c *child) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.wg.Add(1) // before Close can wait
	p.mu.Unlock()
	if err := p.starter.start(c.cmd); err != nil {
		p.wg.Done()
		return err
	}
	c.job = confine(c.cmd.Process.Pid, p.c.Log)
	c.forget = recordRunner(filepath.Join(p.c.Dir, "runners"), c.cmd.Process.Pid)
	p.mu.Lock()
	p.children[c] = struct{}{}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		c.kill()
	}
	go func() {
		defer p.wg.Done()
		p.reap(c)
	}()
	return nil
}

// reap waits for the process and gives its place back.
func (p *Pool) reap(c *child) {
	_ = c.cmd.Wait()
	c.starved = c.group.Starved()
	c.group.Close()
	c.forget()
	if c.job != nil {
		c.job.Close()
	}
	p.mu.Lock()
	delete(p.children, c)
	for i, other := range p.idle {
		if other == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	p.forget(c)
	if c.idling {
		c.out.Close()
	}
	p.mu.Unlock()
	c.in.Close()
	close(c.gone)
}

// kill ends the process at once. What it had written can still be read; a
// pipe that somebody else holds open does not keep a reader waiting.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.in.SetWriteDeadline(time.Now())
	_ = c.out.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
}

// ready waits for the runner's Hello. The caller bounds the time with kill.
func (c *child) ready() error {
	kind, payload, err := c.r.Next()
	if err != nil {
		return c.why(err)
	}
	if kind != frame.Ready {
		return fmt.Errorf("frame of kind %d instead of hello: %w", kind, frame.ErrHostile)
	}
	if err := json.Unmarshal(payload, &c.hello); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if c.hello.Error != "" {
		return &helloError{c.hello.Code, strings.ToValidUTF8(c.hello.Error[:min(len(c.hello.Error), 2048)], "?")}
	}
	return nil
}

// helloError is what a runner says instead of being ready.
type helloError struct{ code, message string }

func (e *helloError) Error() string { return e.message }

// why adds what the process said when it died.
func (c *child) why(err error) error {
	c.kill()
	<-c.gone
	if said := c.stderr.String(); said != "" {
		line, _, _ := strings.Cut(said, "\n")
		return fmt.Errorf("runner ended (%s): %w", line, err)
	}
	if state := c.cmd.ProcessState; state != nil {
		return fmt.Errorf("runner ended (%s): %w", state, err)
	}
	return fmt.Errorf("runner ended: %w", err)
}

// outOfMemory says whether the process died for want of memory.
func (c *child) outOfMemory() bool {
	select {
	case <-c.gone:
		if c.starved {
			return true
		}
	default:
	}
	said := c.stderr.String()
	return strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") || strings.Contains(said, "errno=12")
}

// end ends a child that is not on any list, and waits for it.
func (c *child) end() {
	c.kill()
	<-c.gone
	c.out.Close()
}

// errGone is a read from a runner that has died.
var errGone = errors.New("the runner died")
