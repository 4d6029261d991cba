package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// faultSuite is the operations that fail. Each call of prepare makes new things.
var faultSuite = []struct {
	name    string
	prepare func(t *testing.T, s *store.Store) trial
}{
	{"create run", func(t *testing.T, s *store.Store) trial {
		n := NewRun(s, 3, func(i int, x *octopus.Execution) {
			if i == 0 {
				Offered(x, "agt_1")
			}
		})
		n.Key = &store.Idempotency{Scope: "faults", Key: n.Run.ID, BodyHash: []byte("h")}
		return trial{
			func(s *store.Store) error { _, _, err := s.CreateRun(t.Context(), n); return err },
			found(func(s *store.Store) error { _, err := s.Run(t.Context(), n.Run.ID); return err }),
		}
	}},
	{"offer", stepTrial(octopus.Offered, Offer("agt_1"))},
	{"accept", stepTrial(octopus.Running, Accept, Offer("agt_1"))},
	{"result", stepTrial(octopus.Succeeded, endWithAll, Offer("agt_1"), Accept)},
	{"lost", stepTrial(octopus.Lost, End(octopus.Lost), Offer("agt_1"), Accept)},
	{"step batch", func(t *testing.T, s *store.Store) trial {
		_, ids := create(t, s, 3, nil)
		return trial{
			func(s *store.Store) error {
				_, err := s.StepBatch(t.Context(), ids, End(octopus.Cancelled))
				return err
			},
			func(s *store.Store) (bool, error) { return ended(t, s, ids, octopus.Cancelled) },
		}
	}},
	{"claim", func(t *testing.T, s *store.Store) trial {
		pool := "pool=" + octopus.NewID("", s.Now())
		_, ids := create(t, s, 2, func(_ int, x *octopus.Execution) { x.Pool = pool })
		q := store.ClaimQuery{Agents: []store.ClaimAgent{{ID: "agt_1", Credits: 1, Pools: []string{pool}}, {ID: "agt_2", Credits: 1, Pools: []string{pool}}}}
		return trial{
			func(s *store.Store) error {
				claimed, err := s.Claim(t.Context(), q, OfferClaimed)
				// What a lost connection had locked is passed over until the server has noticed.
				for end := time.Now().Add(10 * time.Second); err == nil && len(claimed) == 0 && time.Now().Before(end); {
					if all, err := ended(t, s, ids, octopus.Offered); all || err != nil {
						return err
					}
					claimed, err = s.Claim(t.Context(), q, OfferClaimed)
				}
				return err
			},
			func(s *store.Store) (bool, error) { return ended(t, s, ids, octopus.Offered) },
		}
	}},
	{"logs", func(t *testing.T, s *store.Store) trial {
		_, ids := create(t, s, 1, nil)
		line := octopus.LogLine{At: s.Now(), Text: string(bytes.Repeat([]byte("log "), 2000))}
		chunks := []octopus.LogChunk{{ExecutionID: ids[0], Attempt: 1, Seq: 1, Stream: "stderr", Lines: []octopus.LogLine{line}},
			{ExecutionID: ids[0], Attempt: 1, Seq: 2, Stream: "stderr", Lines: []octopus.LogLine{line}}}
		return trial{
			func(s *store.Store) error { _, err := s.AppendLogs(t.Context(), chunks); return err },
			func(s *store.Store) (bool, error) {
				stored, err := s.Logs(t.Context(), ids[0], 0, 10)
				if len(stored) == 1 {
					return false, fmt.Errorf("one of two chunks is there")
				}
				return len(stored) == 2 && stored[1].Lines[0] == line, err
			},
		}
	}},
	{"blob", func(t *testing.T, s *store.Store) trial {
		sha := octopus.NewID("", s.Now())
		data := bytes.Repeat([]byte(sha), 2000)
		return trial{
			func(s *store.Store) error { return s.SaveBlob(t.Context(), sha, data) },
			found(func(s *store.Store) error {
				got, err := s.Blob(t.Context(), sha)
				if err == nil && !bytes.Equal(got, data) {
					return fmt.Errorf("the blob is another")
				}
				return err
			}),
		}
	}},
	{"create task", func(t *testing.T, s *store.Store) trial {
		k := task(octopus.NewID("", s.Now()))
		key := &store.Idempotency{Scope: "faults", Key: k.Name, BodyHash: []byte("h")}
		return trial{
			func(s *store.Store) error { _, _, err := s.CreateTask(t.Context(), k, key); return err },
			found(func(s *store.Store) error { _, err := s.Task(t.Context(), k.Name); return err }),
		}
	}},
	{"update task", func(t *testing.T, s *store.Store) trial {
		made, _, err := s.CreateTask(t.Context(), task(octopus.NewID("", s.Now())), nil)
		check(t, err)
		return trial{
			func(s *store.Store) error {
				_, err := s.UpdateTask(t.Context(), made.ID, made.Revision, func(k *octopus.Task) error { k.Description = "new"; return nil })
				return err
			},
			func(s *store.Store) (bool, error) {
				k, err := s.Task(t.Context(), made.ID)
				if (k.Description == "new") != (k.Revision == made.Revision+1) {
					return false, fmt.Errorf("revision %d with %q", k.Revision, k.Description)
				}
				return k.Description == "new", err
			},
		}
	}},
	{"publish", func(t *testing.T, s *store.Store) trial {
		name := octopus.NewID("p", s.Now())
		v := version(name, "1.0.0", "sha256:"+name)
		return trial{
			func(s *store.Store) error {
				return s.PublishVersion(t.Context(), v, "uploaded", "", bytes.Repeat([]byte("wasm"), 3000))
			},
			found(func(s *store.Store) error {
				if _, err := s.Version(t.Context(), name, "1.0.0"); err != nil {
					return err
				}
				if _, err := s.Module(t.Context(), v.Digest); err != nil {
					return errors.New("a version without its module") // not "not found": it is there by half
				}
				return nil
			}),
		}
	}},
	{"move rings", func(t *testing.T, s *store.Store) trial {
		name := octopus.NewID("p", s.Now())
		moves := onTrial(t, s, name)
		return trial{
			func(s *store.Store) error { return s.MoveRings(t.Context(), name, "ada", moves) },
			func(s *store.Store) (bool, error) { return moved(t, s, name, moves) },
		}
	}},
	{"enrol", func(t *testing.T, s *store.Store) trial {
		name := octopus.NewID("", s.Now())
		check(t, s.CreateJoinToken(t.Context(), octopus.JoinToken{ID: "tok_" + name, Name: name, Hash: []byte(name), MaxUses: 1}))
		return trial{
			func(s *store.Store) error {
				_, err := s.Enrol(t.Context(), []byte(name), octopus.Agent{Name: name, PublicKey: []byte(name), Slots: 1})
				return err
			},
			found(func(s *store.Store) error { _, err := s.Agent(t.Context(), name); return err }),
		}
	}},
	{"setting", func(t *testing.T, s *store.Store) trial {
		key := octopus.NewID("", s.Now())
		return trial{
			func(s *store.Store) error { return s.SetMeta(t.Context(), key, "v") },
			found(func(s *store.Store) error { _, err := s.Meta(t.Context(), key); return err }),
		}
	}},
	{"reads", func(t *testing.T, s *store.Store) trial {
		_, ids := create(t, s, 2, nil)
		read := func(s *store.Store) error {
			for _, id := range ids {
				if _, err := s.Execution(t.Context(), id); err != nil {
					return err
				}
			}
			if _, _, err := s.Executions(t.Context(), store.ExecutionFilter{}, store.Page{}); err != nil {
				return err
			}
			_, err := s.Overview(t.Context())
			return err
		}
		return trial{read, nil}
	}},
}

// onTrial publishes two versions of a plugin of which executions were compared, and returns the moves that take the
// newer one back.
func onTrial(t *testing.T, s *store.Store, name string) []store.RingMove {
	moves := []store.RingMove{{Version: "1.0.0", Ring: octopus.RingAll, Told: "rolled back to"}, {Version: "1.1.0", Ring: octopus.RingCanary, Held: true, Note: "bad", Told: "held"}}
	for i := range moves {
		v := version(name, moves[i].Version, "sha256:"+name+moves[i].Version)
		v.Ring = octopus.RingEarly
		check(t, s.PublishVersion(t.Context(), v, "uploaded", "", nil))
		published, err := s.Version(t.Context(), name, v.Version)
		check(t, err)
		moves[i].Was = published.RingAt
	}
	for _, m := range moves {
		id := one(t, s, func(x *octopus.Execution) {
			x.Plugin, x.PluginVersion, x.Digest, x.OnTrial = name, m.Version, "sha256:"+name+m.Version, true
			Offered(x, "agt_1")
		})
		step(t, s, id, Accept, End(octopus.Failed))
	}
	return moves
}

// moved says whether versions are where their moves led, with what belongs to it: what the history says, and that of
// the one that runs now nothing is counted any more. All of it, or nothing.
func moved(t *testing.T, s *store.Store, name string, moves []store.RingMove) (bool, error) {
	n := 0
	for _, m := range moves {
		v, err := s.Version(t.Context(), name, m.Version)
		if err != nil {
			return false, err
		}
		if v.Ring == m.Ring && v.Held == m.Held && v.RingNote == m.Note && v.RingAt.After(m.Was) {
			n++
		}
	}
	events, _, err := s.PluginEvents(t.Context(), name, store.Page{Descending: true})
	if err != nil {
		return false, err
	}
	told := 0
	for _, e := range events {
		if e.Kind == octopus.PluginRingMoved {
			told++
		}
	}
	outcomes, err := s.Outcomes(t.Context(), name)
	if err != nil {
		return false, err
	}
	if counted := len(outcomes); n != 0 && n != len(moves) || told != n || n == 0 && counted != 2 || n > 0 && counted != 1 {
		return false, fmt.Errorf("%d of %d moved, %d told, outcomes of %d versions", n, len(moves), told, counted)
	}
	return n > 0, nil
}

// found turns a look-up into "is it there".
func found(look func(*store.Store) error) func(*store.Store) (bool, error) {
	return func(s *store.Store) (bool, error) {
		err := look(s)
		if octopus.CodeOf(err) == octopus.CodeNotFound {
			return false, nil
		}
		return err == nil, err
	}
}

// stepTrial takes an execution through steps and then tries the last one.
func stepTrial(to octopus.Status, last store.StepFunc, before ...store.StepFunc) func(*testing.T, *store.Store) trial {
	return func(t *testing.T, s *store.Store) trial {
		_, ids := create(t, s, 1, nil)
		step(t, s, ids[0], before...)
		return trial{
			func(s *store.Store) error { _, err := s.Step(t.Context(), ids[0], last); return err },
			func(s *store.Store) (bool, error) { return ended(t, s, ids, to) },
		}
	}
}

// endWithAll ends an execution with all that a result can bring.
func endWithAll(x octopus.Execution, now time.Time) (store.Change, error) {
	change, err := End(octopus.Succeeded)(x, now)
	change.Results = []octopus.NamedResult{{Name: "n", Value: json.RawMessage(`1`)}}
	change.Cache = []octopus.CacheEntry{{Region: "plugin data", Key: x.ID, Value: json.RawMessage(`1`)}}
	return change, err
}

// ended says whether executions are in a state, with all that belongs to it. All are, or none.
func ended(t *testing.T, s *store.Store, ids []string, status octopus.Status) (bool, error) {
	n := 0
	for _, id := range ids {
		x, err := s.Execution(t.Context(), id)
		if err != nil {
			return false, err
		}
		results, err := s.Results(t.Context(), id)
		if err != nil {
			return false, err
		}
		_, cached, err := s.CacheGet(t.Context(), "plugin data", id)
		if err != nil {
			return false, err
		}
		if won := x.Status == octopus.Succeeded; won != (len(results) == 1) || won != cached || won != (x.Response != nil) {
			return false, fmt.Errorf("%s is %s with %d results, cached: %v", id, x.Status, len(results), cached)
		}
		if x.Status == status {
			n++
		}
	}
	if n != 0 && n != len(ids) {
		return false, fmt.Errorf("%d of %d are %s", n, len(ids), status)
	}
	return n > 0, nil
}
