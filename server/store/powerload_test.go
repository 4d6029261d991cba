package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/powercut"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// span is when something was asked for and when it was answered, in the disk's time.
type span struct{ asked, answered int }

// must, may: a cut at a point must find what was answered by then, and may find what was asked for.
func (s span) must(cut int) bool { return s.answered <= cut }
func (s span) may(cut int) bool  { return s.asked <= cut }

// history is what clients were told by a store under load.
type history struct {
	disk *powercut.Disk

	mu         sync.Mutex
	executions map[string][]told // guarded by mu; by execution, in order
	keys       map[string]span   // guarded by mu; idempotency keys
	chunks     []sentChunk       // guarded by mu
	blobs      map[string]blob   // guarded by mu
}

// told is an execution as an answer told it.
type told struct {
	span
	x octopus.Execution
}

type sentChunk struct {
	span
	octopus.LogChunk
}

type blob struct {
	span
	data []byte
}

func newHistory(d *powercut.Disk) *history {
	return &history{disk: d, executions: map[string][]told{}, keys: map[string]span{}, blobs: map[string]blob{}}
}

// ask runs an operation and says when it was asked for and answered.
func (h *history) ask(t *testing.T, operation func() error) span {
	s := span{asked: h.disk.Len()}
	if err := operation(); err != nil {
		t.Error(err)
	}
	s.answered = h.disk.Len()
	return s
}

func (h *history) tell(s span, executions ...octopus.Execution) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range executions {
		h.executions[x.ID] = append(h.executions[x.ID], told{s, x})
	}
}

// worker is one client. Its executions are in a pool of its own, so that only it changes them.
type worker struct {
	t    *testing.T
	s    *store.Store
	h    *history
	rng  *rand.Rand
	name string
	seq  int
}

// load runs clients on a store until each did so many rounds.
func (h *history) load(t *testing.T, s *store.Store, seed uint64, workers, rounds int) {
	var wg sync.WaitGroup
	for i := range workers {
		w := &worker{t: t, s: s, h: h, name: fmt.Sprintf("pool=%d.%d", seed, i), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		wg.Go(func() {
			for range rounds {
				w.round()
			}
		})
	}
	wg.Wait()
}

// round takes one run some way through its life.
func (w *worker) round() {
	ids := w.create(w.rng.IntN(3) + 1)
	if w.rng.IntN(3) == 0 {
		w.blob()
	}
	if w.rng.IntN(2) == 0 {
		w.claim(len(ids))
	}
	for i, id := range ids {
		x := w.step(id, storetest.Offer(w.agent(i)))
		if x.Status == octopus.Offered && w.rng.IntN(8) == 0 {
			w.step(id, storetest.Withdraw)
			x = w.step(id, storetest.Offer(w.agent(i)))
		}
		if x.Status != octopus.Offered || w.rng.IntN(8) == 0 {
			continue
		}
		w.step(id, storetest.Accept)
		w.logs(id)
		if w.rng.IntN(6) == 0 {
			continue
		}
		w.step(id, w.end())
	}
	if w.rng.IntN(8) == 0 { // what is left of the run, together
		var cancelled []octopus.Execution
		s := w.h.ask(w.t, func() (err error) {
			cancelled, err = w.s.StepBatch(w.t.Context(), ids, storetest.End(octopus.Cancelled))
			return err
		})
		w.h.tell(s, cancelled...)
	}
}

func (w *worker) agent(i int) string { return fmt.Sprintf("agt_%s_%d", w.name, i) }

func (w *worker) create(n int) (ids []string) {
	made := storetest.NewRun(w.s, n, func(i int, x *octopus.Execution) {
		x.Pool = w.name
		if i == 0 && w.rng.IntN(4) == 0 {
			storetest.Offered(x, w.agent(0))
		}
	})
	key := ""
	if w.rng.IntN(2) == 0 {
		key = made.Run.ID
		made.Key = &store.Idempotency{Scope: "test", Key: key, BodyHash: []byte("hash")}
	}
	s := w.h.ask(w.t, func() error {
		_, _, err := w.s.CreateRun(w.t.Context(), made)
		return err
	})
	w.h.tell(s, made.Executions...)
	if key != "" {
		w.h.mu.Lock()
		w.h.keys[key] = s
		w.h.mu.Unlock()
	}
	for _, x := range made.Executions {
		ids = append(ids, x.ID)
	}
	return ids
}

func (w *worker) claim(n int) {
	q := store.ClaimQuery{}
	for i := range n {
		q.Agents = append(q.Agents, store.ClaimAgent{ID: w.agent(i), Name: storetest.AgentName(w.agent(i)), Credits: 1, Pools: []string{w.name}})
	}
	var claimed []octopus.Execution
	s := w.h.ask(w.t, func() (err error) {
		claimed, err = w.s.Claim(w.t.Context(), q, storetest.OfferClaimed)
		return err
	})
	w.h.tell(s, claimed...)
}

func (w *worker) step(id string, f store.StepFunc) (x octopus.Execution) {
	s := w.h.ask(w.t, func() (err error) {
		x, err = w.s.Step(w.t.Context(), id, f)
		if octopus.CodeOf(err) == octopus.CodeConflict { // its sibling from an earlier round holds the agent
			err = nil
		}
		return err
	})
	if x.ID != "" {
		w.h.tell(s, x)
	}
	return x
}

// end ends an execution, mostly well, with results and a response of its own.
func (w *worker) end() store.StepFunc {
	if w.rng.IntN(4) == 0 {
		return storetest.End([]octopus.Status{octopus.Failed, octopus.TimedOut, octopus.Lost}[w.rng.IntN(3)])
	}
	text := bytes.Repeat([]byte("r"), w.rng.IntN(3000))
	return func(x octopus.Execution, now time.Time) (store.Change, error) {
		change, err := storetest.End(octopus.Succeeded)(x, now)
		if err == nil {
			change.Next.Response = json.RawMessage(fmt.Sprintf(`{"status_code":200,"message":"%s of %s"}`, text, x.ID))
			change.Results = []octopus.NamedResult{{Name: "n", Value: json.RawMessage(`"` + x.ID + `"`)}}
		}
		return change, err
	}
}

func (w *worker) logs(id string) {
	for seq := range int64(w.rng.IntN(3)) {
		line := octopus.LogLine{At: w.s.Now(), Text: fmt.Sprintf("line %d of %s %s", seq, id, bytes.Repeat([]byte("l"), w.rng.IntN(2000)))}
		c := octopus.LogChunk{ExecutionID: id, Attempt: 1, Seq: seq + 1, Stream: "stderr", Lines: []octopus.LogLine{line}}
		s := w.h.ask(w.t, func() error {
			_, err := w.s.AppendLogs(w.t.Context(), []octopus.LogChunk{c})
			return err
		})
		w.h.mu.Lock()
		w.h.chunks = append(w.h.chunks, sentChunk{s, c})
		w.h.mu.Unlock()
	}
}

// blob fills the WAL, so that it is copied and begun anew now and then.
func (w *worker) blob() {
	w.seq++
	sha := fmt.Sprintf("%s-%d", w.name, w.seq)
	data := bytes.Repeat([]byte(sha), 1+w.rng.IntN(12_000))
	s := w.h.ask(w.t, func() error { return w.s.SaveBlob(w.t.Context(), sha, data) })
	w.h.mu.Lock()
	w.h.blobs[sha] = blob{s, data}
	w.h.mu.Unlock()
}
