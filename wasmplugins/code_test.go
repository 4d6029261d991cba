package wasmplugins

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"octopus/sdk/spec"
)

func codeForm(t testing.TB, p *Pool, digest string) form {
	t.Helper()
	f, _, err := p.codeForm(t.Context(), form{digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func script(t *testing.T, engine []byte, source string) []byte {
	t.Helper()
	raw, err := PackScript(engine, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	engine := module(t, "table_hog") // has names
	one, two := script(t, engine, "1"), script(t, engine, "22")
	if !bytes.Equal(codeOf(one), codeOf(two)) || !bytes.Equal(codeOf(one), engine) {
		t.Error("two scripts of one engine differ")
	}
	other, err := putSection(engine, nameSection, []byte{})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(codeOf(other), codeOf(engine)) {
		t.Error("the names of functions are lost")
	}
	if broken := engine[:len(engine)-3]; !bytes.Equal(codeOf(broken), broken) {
		t.Error("what is broken was changed")
	}
}

// Scripts of one engine are compiled once; each still has runners of its own,
// and is checked as a whole.
func TestScriptsShareCompiledCode(t *testing.T) {
	t.Parallel()
	engine := module(t, "noop")
	one, two := script(t, engine, "one"), script(t, engine, "two")
	forged, err := putSection(engine, ScriptSection, []byte("a\x00b"))
	if err != nil {
		t.Fatal(err)
	}
	s := shelf{Digest(engine): engine, Digest(one): one, Digest(two): two, Digest(forged): forged}
	p, _ := newPool(t, PoolConfig{Load: s.load})
	for i, raw := range [][]byte{one, two, engine} {
		var ready Prepared
		ok(t, p.Run(t.Context(), Job{Digest: Digest(raw), OnReady: func(r Prepared) error { ready = r; return nil }}, nil))
		if ready.Compiled != (i == 0) || ready.Warm {
			t.Errorf("module %d: %+v", i, ready)
		}
	}
	if list, err := os.ReadDir(p.cache.root); err != nil || len(list) != 1 {
		t.Errorf("%d compiled modules, %v", len(list), err)
	}
	failed(t, p.Run(t.Context(), Job{Digest: Digest(forged)}, nil), 422, spec.CodeRefused)
}

func TestTurns(t *testing.T) {
	t.Parallel()
	q := turns{free: 1}
	begin := func(x *turn) <-chan error { // returns once it waits or runs
		ended := make(chan error, 1)
		before := queued(&q)
		go func() {
			ctx, err := q.take(t.Context(), x)
			if err == nil {
				<-ctx.Done()
				err = ctx.Err()
			}
			ended <- err
		}()
		for queued(&q) == before {
			time.Sleep(time.Millisecond)
		}
		return ended
	}
	a, b, c, d := &turn{ahead: true}, &turn{ahead: true}, &turn{ahead: true}, &turn{}
	aEnded := begin(a)
	begin(b)
	begin(c)
	begin(d) // which somebody waits for
	<-aEnded
	if !q.give(a) || !runs(&q, d) {
		t.Error("what somebody waits for did not get the turn")
	}
	q.hurry(c)
	if q.give(d) || !runs(&q, c) || runs(&q, b) {
		t.Error("what is hurried did not come before what is not")
	}
	e := &turn{}
	begin(e)
	if q.give(c) || !runs(&q, e) {
		t.Error("what somebody waited for was stopped")
	}
	if q.give(e) || !runs(&q, b) || q.give(b) || q.free != 1 {
		t.Error("what was ahead never got its turn")
	}
}

func queued(q *turns) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) + len(q.running)
}

func runs(q *turns, x *turn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.running) == 1 && q.running[0] == x
}

// A job does not wait behind what is compiled ahead; that is begun again.
func TestPrepareAheadMakesRoom(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{CompileTimeout: 2 * time.Minute}, "noop", "echo_stdin")
	p.turns.free = 1 // also on machines with many cores
	real := p.c.Executable
	p.c.Executable = []string{os.Args[0], "stuck"}
	type result struct {
		Prepared
		err error
	}
	ahead := make(chan result, 1)
	go func() {
		r, err := p.PrepareAhead(t.Context(), digests["echo_stdin"], 0, false)
		ahead <- result{r, err}
	}()
	for deadline := time.Now().Add(time.Minute); len(p.childList()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is compiled ahead")
		}
	}
	p.c.Executable = real
	ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil))
	if r := <-ahead; r.err != nil || !r.Compiled {
		t.Errorf("what made room: %+v", r)
	}
}

// What is compiled ahead ends with the pool.
func TestPrepareAheadEndsWithThePool(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "noop")
	p.c.Executable = []string{os.Args[0], "stuck"}
	ahead := make(chan error, 1)
	go func() {
		_, err := p.PrepareAhead(t.Context(), digests["noop"], 0, false)
		ahead <- err
	}()
	for len(p.childList()) == 0 {
		time.Sleep(time.Millisecond)
	}
	p.Close()
	if err := <-ahead; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}
