package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"octopus/sdk"
)

// followed is how many executions of one run are followed line by line; of a larger run only the states are shown.
const followed = 20

// follow shows the states and the log lines of a run on standard error until it has ended.
func (a *app) follow(ctx context.Context, c *sdk.Client, run sdk.Run) (sdk.Run, error) {
	w := &watcher{out: a.Err, client: c, names: run.Total > 1, states: map[string]string{}, tails: map[string]bool{}}
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

	mu     sync.Mutex
	states map[string]string // guarded by mu: the last state shown of each execution
	tails  map[string]bool   // guarded by mu: executions whose log is followed
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
	if text := stateLine(x); w.states[x.ID] != text && !strings.HasPrefix(w.states[x.ID], "✓") {
		w.states[x.ID] = text
		w.print(x, "==> "+text)
		if x.Ended() {
			w.states[x.ID] = "✓" // a late event about an earlier state is not news
		}
	}
	if !w.tails[x.ID] && len(w.tails) < followed {
		w.tails[x.ID] = true
		w.group.Go(func() error { return w.tail(x) })
	}
}

// tail prints the log lines of one execution until it has ended.
func (w *watcher) tail(x sdk.Execution) error {
	return w.client.FollowLogs(w.ctx, x.ID, 0, func(l sdk.LogLine) error {
		if l.End {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.print(x, l.Text)
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
	case x.Status == "offered" || x.Status == "running":
		text += " on " + x.AgentName
	}
	return text
}
