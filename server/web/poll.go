package web

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// pollRows is how many of the newest things the poll looks at.
const pollRows = 50

// padded writes a number so that it sorts as text.
func padded(n int64) string { return fmt.Sprintf("%012d", n) }

// poll looks, once a second and only while somebody watches, whether something changed that no hint told of: hints
// may be lost. It costs a few statements, whatever the number of viewers.
func (l *live) poll(ctx context.Context) {
	wanted := l.watched()
	if len(wanted) == 0 {
		return
	}
	if wanted[topicFeed] || wanted[topicExecutions] || wanted[topicTiles] {
		l.pollExecutions(ctx)
	}
	if wanted[topicRuns] {
		l.pollRuns(ctx)
	}
	for t := range wanted {
		switch {
		case strings.HasPrefix(t, topicExecution):
			l.pollExecution(ctx, t[len(topicExecution):])
		case strings.HasPrefix(t, topicRun):
			l.note(false, change{changedRun, t[len(topicRun):]})
			l.pollRunExecutions(ctx, t[len(topicRun):])
		case strings.HasPrefix(t, topicAgent):
			l.note(false, change{changedAgent, t[len(topicAgent):]})
		case strings.HasPrefix(t, topicPlugin):
			l.pollPlugin(ctx, t[len(topicPlugin):])
		case t == topicTiles, t == topicAgents, strings.HasPrefix(t, topicJoined):
			l.pollAgents(ctx)
		case t == topicPlugins:
			l.pollPlugins(ctx)
		case t == topicOverview:
			l.note(false, change{changedOverview, ""})
		}
	}
	if len(l.seen) > 20*pollRows {
		clear(l.seen)
	}
}

// watched are the topics that somebody follows.
func (l *live) watched() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]bool)
	for _, g := range l.groups {
		for t := range g.sub.topics {
			out[t] = true
		}
	}
	return out
}

// differs notes c when its signature is not what it was. The first look counts as a change: the page was drawn a
// moment ago, and the hint for what happened since may be the one that was lost.
func (l *live) differs(c change, signature string) {
	sum := maphash.String(l.seed, signature)
	before, known := l.seen[c]
	l.seen[c] = sum
	if !known || before != sum {
		l.note(false, c)
	}
}

func executionSignature(x octopus.Execution) string {
	return fmt.Sprint(x.Status, x.Fence, x.Attempt, x.Silent, x.Cancelling, x.LogSeq, x.Progress, x.AgentID, x.FinishedAt.UnixMicro(), x.Waiting)
}

func (l *live) pollExecutions(ctx context.Context) {
	list, _, err := l.web.cfg.Store.Executions(ctx, store.ExecutionFilter{}, store.Page{Limit: pollRows, Descending: true})
	if err != nil {
		return // the next second tries again; the badge tells when the whole server is unwell
	}
	for _, x := range list {
		l.differs(change{changedExecution, x.ID}, executionSignature(x))
	}
}

func (l *live) pollExecution(ctx context.Context, id string) {
	x, err := l.web.cfg.Store.Execution(ctx, id)
	if err != nil {
		return
	}
	events, err := l.web.cfg.Store.Events(ctx, id) // a late result is nothing but an event
	if err != nil {
		return
	}
	l.differs(change{changedExecution, id}, executionSignature(x)+padded(int64(len(events))))
	l.differs(change{changedLogs, id}, padded(x.LogSeq))
}

func (l *live) pollRuns(ctx context.Context) {
	list, _, err := l.web.cfg.Store.Runs(ctx, store.RunFilter{}, store.Page{Limit: pollRows, Descending: true})
	if err != nil {
		return
	}
	for _, r := range list {
		l.differs(change{changedRun, r.ID}, fmt.Sprint(r.Status(), r.Counts, r.FinishedAt.UnixMicro()))
	}
}

func (l *live) pollRunExecutions(ctx context.Context, runID string) {
	list, _, err := l.web.cfg.Store.RunExecutions(ctx, runID, store.Page{Limit: pollRows})
	if err != nil {
		return
	}
	for _, x := range list {
		l.differs(change{changedExecution, x.ID}, executionSignature(x))
	}
}

func (l *live) pollAgents(ctx context.Context) {
	list, _, err := l.web.cfg.Store.Agents(ctx, store.AgentFilter{}, store.Page{Limit: 2 * pollRows})
	if err != nil {
		return
	}
	for _, a := range list {
		l.differs(change{changedAgent, a.ID}, fmt.Sprint(l.web.agentStatus(a), a.Name, a.Labels, a.Slots, a.SessionEpoch, a.LastRefusalAt.UnixMicro()))
	}
}
