//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"octopus/agent/journal"
	"octopus/e2e/history"
	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/store"
)

// Bounds of what a process may have open and running when nothing is under way any more. A leak for each fault or
// each execution is far above them.
const (
	maxDescriptors = 150
	maxGoroutines  = 250
)

// journals is what was read of each agent's journal, over all its lives: a journal that is compacted forgets.
type journals map[string]*history.Journal

// keepJournal reads an agent's journal between two of its lives.
func (w *world) keepJournal(p *process) {
	if isServer(p.name) {
		return
	}
	records, err := journal.Read(filepath.Join(w.dir, p.name, "journal"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Errorf("journal of %s: %v", p.name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.journals[p.name]
	if j == nil {
		j = &history.Journal{Agent: p.name}
		w.journals[p.name] = j
	}
	merge(j, records)
}

// merge adds what a reading holds beyond the ones before. A record that one reading holds twice stays twice.
func merge(j *history.Journal, records []journal.Record) {
	type record struct {
		kind  string
		key   journal.Key
		count int
	}
	known, seen := make(map[record]bool), make(map[record]int)
	number := func(kind string, k journal.Key) record {
		plain := record{kind: kind, key: k}
		seen[plain]++
		plain.count = seen[plain]
		return plain
	}
	for _, s := range j.Started {
		known[number("started", journal.Key{Execution: s.Execution, Fence: s.Fence})] = true
	}
	for _, r := range j.Results {
		known[number("result", journal.Key{Execution: r.Execution, Fence: r.Fence})] = true
	}
	clear(seen)
	for _, r := range records {
		if r.Kind != "started" && r.Kind != "result" || known[number(r.Kind, r.Key)] {
			continue
		}
		if r.Kind == "started" {
			j.Started = append(j.Started, history.Start{Execution: r.Execution, Fence: r.Fence, Attempt: r.Attempt})
			continue
		}
		j.Results = append(j.Results, history.Result{
			Execution: r.Execution, Fence: r.Fence, Attempt: r.Attempt, Response: r.Result.Response, SHA256: r.Result.BlobSHA256,
		})
	}
}

// settle waits until everything has ended that clients were promised, and every agent has all its room again.
func (w *world) settle() (left []string) {
	lives := []string{"queued", "offered", "running"}
	var list sdk.Page[sdk.Execution]
	next := time.Now().Add(10 * time.Second)
	for give := time.Now().Add(bound + 30*time.Second); ; time.Sleep(500 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		var err error
		list, err = w.direct(0).Executions(ctx, sdk.ExecutionFilter{Status: lives, List: sdk.List{Limit: 20}})
		cancel()
		if err == nil && len(list.Items) == 0 {
			break
		}
		if time.Now().After(give) {
			if err != nil {
				left = append(left, fmt.Sprintf("executions cannot be listed: %v", err))
			}
			break // those that live are named by the checker
		}
		if time.Now().After(next) {
			next = time.Now().Add(10 * time.Second)
			w.t.Logf("waiting for %d to end: %s", len(list.Items), oldest(list.Items))
		}
	}
	for give := time.Now().Add(40 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		busy := w.busyAgents()
		if len(busy) == 0 {
			return left
		}
		if time.Now().After(give) {
			return append(left, busy...)
		}
	}
}

// oldest describes what has waited longest.
func oldest(list []sdk.Execution) string {
	if len(list) == 0 {
		return ""
	}
	x := list[len(list)-1]
	why := ""
	if x.Waiting != nil {
		why = x.Waiting.Message
	}
	return fmt.Sprintf("%s is %s since %s on %s, attempt %d, silent %v, cancelling %v %s",
		x.ID, x.Status, x.CreatedAt.Format(time.TimeOnly), x.AgentName, x.Attempt, x.Silent, x.Cancelling, why)
}

// busyAgents names the agents that are away or do not have all their room.
func (w *world) busyAgents() (busy []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	free := make(map[string]int)
	for i := range w.servers {
		list, err := w.direct(i).Agents(ctx, sdk.AgentFilter{})
		if err != nil {
			return []string{fmt.Sprintf("agents cannot be listed: %v", err)}
		}
		for _, a := range list.Items {
			if len(a.Running) == 0 {
				free[a.Name] = max(free[a.Name], a.Free)
			}
		}
	}
	for i := range w.agents {
		if name := w.agentName(i); free[name] != w.o.Slots {
			busy = append(busy, fmt.Sprintf("%s has %d of %d slots free though nothing runs", name, free[name], w.o.Slots))
		}
	}
	return busy
}

// goroutine is the head of one in the dump that a SIGQUIT asks for.
var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// close ends every process with a dump of its goroutines, and reports what is open, running or left.
func (w *world) close() (left []string) {
	for _, p := range w.agents {
		w.polls += strings.Count(p.log(64<<20), "connected by HTTP long-poll")
	}
	for _, p := range append(append([]*process(nil), w.agents...), w.servers...) {
		if n := descriptors(p.pid()); n > maxDescriptors {
			left = append(left, fmt.Sprintf("%s has %d descriptors open", p.name, n))
		}
		p.end(syscall.SIGQUIT, 20*time.Second)
		dump := p.log(16 << 20)
		if at := strings.LastIndex(dump, "SIGQUIT: quit"); at < 0 {
			left = append(left, p.name+" did not say what it was doing")
		} else if n := len(goroutine.FindAllString(dump[at:], -1)); n > maxGoroutines {
			left = append(left, fmt.Sprintf("%s has %d goroutines", p.name, n))
		}
		w.keepJournal(p)
	}
	var still []string
	for give := time.Now().Add(10 * time.Second); time.Now().Before(give); time.Sleep(100 * time.Millisecond) {
		if still = running(w.binary); len(still) == 0 {
			break
		}
	}
	for _, p := range still {
		left = append(left, "process "+p)
	}
	return left
}

// stored reads what the database holds in the end.
func (w *world) stored(ctx context.Context) (list []history.Execution, err error) {
	s, err := store.Open(ctx, store.Options{URL: w.storeURL()})
	if err != nil {
		return nil, fmt.Errorf("open the database afterwards: %w", err)
	}
	defer s.Close()
	keys, err := keysOf(ctx, s)
	if err != nil {
		return nil, err
	}
	page := store.Page{Limit: store.MaxLimit}
	for {
		items, next, err := s.Executions(ctx, store.ExecutionFilter{}, page)
		if err != nil {
			return nil, err
		}
		for _, x := range items {
			one, err := storedOne(ctx, s, x.ID, keys)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		if page.Cursor = next; next == "" {
			return list, nil
		}
	}
}

// keysOf is by run the key that its client chose. A retry has the labels of the run that it repeats, and a key that
// only its client knows.
func keysOf(ctx context.Context, s *store.Store) (map[string]string, error) {
	keys := make(map[string]string)
	page := store.Page{Limit: store.MaxLimit}
	for {
		runs, next, err := s.Runs(ctx, store.RunFilter{}, page)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			if r.RetryOf == "" {
				keys[r.ID] = r.Labels["key"]
			}
		}
		if page.Cursor = next; next == "" {
			return keys, nil
		}
	}
}

func storedOne(ctx context.Context, s *store.Store, id string, keys map[string]string) (out history.Execution, err error) {
	x, err := s.Execution(ctx, id)
	if err != nil {
		return out, err
	}
	attempts, err := s.Attempts(ctx, id)
	if err != nil {
		return out, err
	}
	out = history.Execution{
		ID: x.ID, Run: x.RunID, Key: keys[x.RunID], Status: string(x.Status), Attempt: x.Attempt, Fence: x.Fence,
		MaxAttempts: x.MaxAttempts, CancelledBy: x.CancelledBy, CreatedAt: x.CreatedAt, FinishedAt: x.FinishedAt, Bound: bound,
		Response: x.Response,
	}
	events, err := s.Events(ctx, id)
	if err != nil {
		return out, err
	}
	for _, e := range events {
		if e.Kind == "ended" {
			out.EndedAt = e.At
		}
	}
	if x.Reason != nil {
		out.Reason = x.Reason.Code
	}
	for _, a := range attempts {
		out.Attempts = append(out.Attempts, history.Attempt{
			Number: a.Number, Fence: a.Fence, Agent: a.AgentName, Status: string(a.Status),
			NeverRan: a.Status == octopus.Lost && a.Reason != nil && a.Reason.Code == "never_started", GoAt: a.GoAt,
		})
	}
	return out, nil
}
