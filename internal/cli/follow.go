package cli

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"octopus/sdk"
)

// followed is how many executions of one run are followed line by line; of a larger run only the states are shown.
const followed = 20

// follow shows the states and the log lines of a run on standard error until it has ended.
func (a *app) follow(ctx context.Context, c *sdk.Client, run sdk.Run) (sdk.Run, error) {
	w := &watcher{out: a.Err, client: c, names: run.Total > 1, shown: map[string]sdk.Execution{}, ran: map[string]bool{}, tails: map[string]bool{}}
	fmt.Fprintf(a.Err, "%s  %s\n", run.ID, whatOf(run.TaskName, run.Plugin, run.Action))

	watching, stop := context.WithCancel(ctx)
	defer stop()
	w.group, w.ctx = errgroup.WithContext(watching)
	for _, x := range run.Executions {
		w.see(x)
	}
	events := make(chan struct{})
	go func() {
		defer close(events)
		// The stream is for liveliness: without it the end is still noticed, and the log is read.
		_ = c.Events(watching, []string{"run:" + run.ID}, w.event)
	}()
	last, err := c.WaitRun(ctx, run.ID)
	if last.ID == "" {
		last = run
	}
	if err == nil {
		for _, x := range last.Executions {
			w.see(x)
		}
		err = w.group.Wait() // the followers end with their executions
	}
	stop()
	<-events
	if err != nil {
		_ = w.group.Wait() // they were told to end; err says why
	}
	return last, err
}

// watcher prints what happens to the executions of one run.
type watcher struct {
	out    io.Writer
	client *sdk.Client
	ctx    context.Context
	group  *errgroup.Group
	names  bool // lines begin with the agent's name

	mu    sync.Mutex
	shown map[string]sdk.Execution // guarded by mu: each execution in the last state that was shown
	ran   map[string]bool          // guarded by mu: executions that were shown as running
	tails map[string]bool          // guarded by mu: executions whose log is followed
}

func (w *watcher) event(e sdk.ServerEvent) error {
	if e.Name != "execution.updated" {
		return nil
	}
	if x, err := e.Execution(); err == nil {
		w.see(x)
	}
	return nil
}

// see shows a new state, and starts to follow the log when an execution is new.
func (w *watcher) see(x sdk.Execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.shown[x.ID]
	// A late event about an earlier state is not news.
	if !known || !last.Ended() && x.Attempt >= last.Attempt && stateLine(last) != stateLine(x) {
		if x.Ended() && !x.StartedAt.IsZero() {
			w.running(x)
		}
		w.show(x)
	}
	if !w.tails[x.ID] && len(w.tails) < followed {
		w.tails[x.ID] = true
		w.group.Go(func() error { return w.tail(x) })
	}
}

func (w *watcher) show(x sdk.Execution) {
	w.shown[x.ID] = x
	w.ran[x.ID] = w.ran[x.ID] || x.Status == "running"
	w.print(x, "==> "+stateLine(x))
}

// running shows that x runs where that was not told: events tell how it is now, and a short state may be over by then.
func (w *watcher) running(x sdk.Execution) {
	if !w.ran[x.ID] {
		x.Status, x.Attempt, x.Cancelling, x.Silent = "running", max(x.Attempt, 1), false, false
		w.show(x)
	}
}

// line shows a log line, which may be here before the event that its execution runs.
func (w *watcher) line(id, text string) {
	if x := w.shown[id]; !x.Ended() {
		w.running(x)
	}
	w.print(w.shown[id], text)
}

// tail prints the log lines of one execution until it has ended.
func (w *watcher) tail(x sdk.Execution) error {
	return w.client.FollowLogs(w.ctx, x.ID, 0, func(l sdk.LogLine) error {
		if l.End {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.line(x.ID, l.Text)
		return nil
	})
}

// print writes one line. w.mu must be held.
func (w *watcher) print(x sdk.Execution, text string) {
	if w.names {
		name := x.AgentName
		if name == "" {
			name = x.ID[max(0, len(x.ID)-6):]
		}
		text = name + " | " + text
	}
	fmt.Fprintln(w.out, harmless(text))
}

// stateLine is a state in words.
func stateLine(x sdk.Execution) string {
	text := statusOf(x)
	switch {
	case x.Status == "queued" && x.Waiting != nil:
		text += ": " + x.Waiting.Message
	case x.AgentName != "" && (x.Status == "offered" || x.Status == "running"):
		text += " on " + x.AgentName
	}
	return text
}
