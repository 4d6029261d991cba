package web

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/a-h/templ"

	"octopus/internal/octopus"
	"octopus/views"
)

// drawing draws each change at most once, for all who watch. It lives for one flush.
type drawing struct {
	ctx    context.Context
	l      *live
	wanted map[string]bool // topics that somebody watches
	done   map[change][]frame
}

func newDrawing(ctx context.Context, l *live, groups []*group) *drawing {
	d := &drawing{ctx: views.Shared(ctx), l: l, wanted: make(map[string]bool), done: make(map[change][]frame)}
	for _, g := range groups {
		for t := range g.sub.topics {
			d.wanted[t] = true
		}
	}
	return d
}

// wants reports whether any of the topics is watched.
func (d *drawing) wants(topics ...string) bool {
	for _, t := range topics {
		if d.wanted[t] {
			return true
		}
	}
	return false
}

// draw returns the frames of a change. What cannot be read is left to the poll; a page never shows an error for it.
func (d *drawing) draw(c change) []frame {
	if frames, ok := d.done[c]; ok {
		return frames
	}
	d.done[c] = nil // an execution draws its agent, not the other way round; still, never go in circles
	var frames []frame
	var err error
	switch c.kind {
	case changedExecution:
		frames, err = d.execution(c.id)
	case changedRun:
		frames, err = d.run(c.id)
	case changedAgent:
		frames, err = d.agent(c.id)
	case changedTask:
		frames, err = d.task(c.id)
	case changedPlugin:
		if frames, err = d.plugin(c.id); err == nil {
			rows, failed := d.pluginRows(c.id)
			frames, err = append(frames, rows...), failed
		}
	case changedPluginRow:
		frames, err = d.pluginRows(c.id)
	case changedLogs:
		frames, err = d.logs(c.id)
	case changedOverview:
		frames, err = d.overview()
	}
	if err != nil && octopus.CodeOf(err) != octopus.CodeNotFound && d.ctx.Err() == nil {
		d.l.web.log.Warn("live fragment", "kind", c.kind, "id", c.id, "error", err)
	}
	d.done[c] = frames
	return frames
}

// part is a fragment for one place of the page.
func (d *drawing) part(topic, target, swap, name string, c templ.Component) frame {
	var out bytes.Buffer
	out.WriteString(`<hx-partial hx-target="` + target + `" hx-swap="` + swap + `">`)
	if c != nil {
		if err := c.Render(d.ctx, &out); err != nil {
			d.l.web.log.Error("live fragment", "target", target, "error", err)
		}
	}
	out.WriteString(`</hx-partial>`)
	return frame{topic: topic, name: topic + " " + target + " " + name, data: message("", out.Bytes())}
}

// message writes an event of the stream; event "" is a fragment.
func message(event string, data []byte) []byte {
	var out bytes.Buffer
	if event != "" {
		out.WriteString("event: " + event + "\n")
	}
	for line := range bytes.Lines(data) {
		out.WriteString("data: ")
		out.Write(bytes.ReplaceAll(bytes.TrimRight(line, "\r\n"), []byte("\r"), []byte("&#13;")))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func (d *drawing) execution(id string) (frames []frame, err error) {
	lists := d.wants(topicFeed, topicExecutions, topicTiles, topicAgents)
	for t := range d.wanted {
		lists = lists || strings.HasPrefix(t, topicRun) || strings.HasPrefix(t, topicAgent)
	}
	if !lists && !d.wanted[topicExecution+id] {
		return nil, nil
	}
	x, err := d.l.web.cfg.Store.Execution(d.ctx, id)
	if err != nil {
		return nil, err
	}
	if d.wanted[topicFeed] {
		frames = append(frames, d.part(topicFeed, "#feed", "upsert", id, views.FeedItem(x)))
	}
	if d.wanted[topicExecutions] {
		now := d.l.web.now()
		in, out := d.part(topicExecutions, "#executions", "upsert", id, views.ExecutionRow(x)), d.part(topicExecutions, "#x-"+id, "delete", id, nil)
		in.fits = func(s subscription) bool { return s.filter.shows(x, now) }
		out.fits = func(s subscription) bool { return !s.filter.shows(x, now) }
		frames = append(frames, in, out)
	}
	if d.wanted[topicRun+x.RunID] {
		frames = append(frames, d.part(topicRun+x.RunID, "#executions", "upsert", id, views.ExecutionRow(x)))
	}
	if d.wanted[topicExecution+id] {
		page, err := d.executionPage(id)
		if err != nil {
			return nil, err
		}
		frames = append(frames, page...)
	}
	if x.AgentID != "" && (d.wants(topicTiles, topicAgents) || d.wanted[topicAgent+x.AgentID]) {
		frames = append(frames, d.draw(change{changedAgent, x.AgentID})...)
	}
	return frames, nil
}

// executionPage draws the moving parts of the page of one execution.
func (d *drawing) executionPage(id string) ([]frame, error) {
	m, err := d.l.web.executionModel(d.ctx, id)
	if err != nil {
		return nil, err
	}
	topic := topicExecution + id
	return []frame{
		d.part(topic, "#x-head", "innerMorph", "", views.ExecutionHead(m)),
		d.part(topic, "#x-why", "innerMorph", "", views.ExecutionWhy(m)),
		d.part(topic, "#x-timeline", "innerMorph", "", views.ExecutionTimeline(m)),
		d.part(topic, "#x-intents", "innerMorph", "", views.ExecutionIntents(m)),
		d.part(topic, "#x-result", "innerMorph", "", views.ExecutionResult(m)),
		d.part(topic, "#x-artifacts", "innerMorph", "", views.ExecutionArtifacts(m)),
		d.part(topic, "#x-facts", "innerMorph", "", views.ExecutionFacts(m)),
		d.part(topic, "#x-events", "innerMorph", "", views.ExecutionEvents(m)),
	}, nil
}

func (d *drawing) run(id string) (frames []frame, err error) {
	if !d.wants(topicRuns, topicRun+id) {
		return nil, nil
	}
	r, err := d.l.web.cfg.Store.Run(d.ctx, id)
	if err != nil {
		return nil, err
	}
	if d.wanted[topicRuns] {
		now := d.l.web.now()
		in, out := d.part(topicRuns, "#runs", "upsert", id, views.RunRow(r)), d.part(topicRuns, "#r-"+id, "delete", id, nil)
		in.fits = func(s subscription) bool { return s.filter.showsRun(r, now) }
		out.fits = func(s subscription) bool { return !s.filter.showsRun(r, now) }
		frames = append(frames, in, out)
	}
	if d.wanted[topicRun+id] {
		frames = append(frames, d.part(topicRun+id, "#run-head", "innerMorph", "", views.RunHead(d.l.web.runModel(d.ctx, r))))
	}
	return frames, nil
}

func (d *drawing) agent(id string) (frames []frame, err error) {
	joined := false
	for t := range d.wanted {
		joined = joined || strings.HasPrefix(t, topicJoined)
	}
	if id == "" || !joined && !d.wants(topicTiles, topicAgents, topicAgent+id) {
		return nil, nil
	}
	a, err := d.l.web.cfg.Store.Agent(d.ctx, id)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return []frame{
			d.part(topicTiles, "#t-"+id, "delete", id, nil), d.part(topicAgents, "#a-"+id, "delete", id, nil),
		}, nil
	}
	if err != nil {
		return nil, err
	}
	running, err := d.l.web.runningOn(d.ctx, id)
	if err != nil {
		return nil, err
	}
	tile := d.l.web.tile(a, running)
	frames = append(frames,
		d.part(topicTiles, "#tiles", "upsert", id, views.AgentTile(tile)),
		d.part(topicAgents, "#agents", "upsert", id, views.AgentRow(tile)))
	if d.wanted[topicAgent+id] {
		frames = append(frames, d.part(topicAgent+id, "#agent-head", "innerMorph", "", views.AgentHead(views.Agent{Tile: tile, Running: running})))
	}
	if topic := topicJoined + a.EnrolledBy; d.wanted[topic] {
		frames = append(frames, d.part(topic, "#joined", "upsert", id, views.AgentTile(tile)))
	}
	return frames, nil
}

func (d *drawing) task(id string) ([]frame, error) {
	if id == "" || !d.wanted[topicTasks] {
		return nil, nil
	}
	t, err := d.l.web.cfg.Store.Task(d.ctx, id)
	if octopus.CodeOf(err) == octopus.CodeNotFound || err == nil && !t.DeletedAt.IsZero() {
		return []frame{d.part(topicTasks, "#task-"+id, "delete", id, nil)}, nil
	}
	if err != nil {
		return nil, err
	}
	return []frame{d.part(topicTasks, "#tasks", "upsert", id, views.TaskRow(t))}, nil
}

func (d *drawing) overview() ([]frame, error) {
	if !d.wanted[topicOverview] {
		return nil, nil
	}
	o, err := d.l.web.overview(d.ctx)
	if err != nil {
		return nil, err
	}
	steps, err := d.l.web.steps(d.ctx)
	if err != nil {
		return nil, err
	}
	return []frame{
		d.part(topicOverview, "#overview", "innerMorph", "", views.OverviewCard(o)),
		d.part(topicOverview, "#steps", "innerMorph", "", views.Steps(steps)),
	}, nil
}

// logs draws the chunks that came since the last time. Where it is not known what pages have, they are told the
// newest number only, and fetch what they lack.
func (d *drawing) logs(id string) ([]frame, error) {
	topic := topicLogs + id
	if !d.wanted[topic] {
		return nil, nil
	}
	after, known := d.l.sent[id]
	if !known {
		x, err := d.l.web.cfg.Store.Execution(d.ctx, id)
		if err != nil {
			return nil, err
		}
		d.l.sent[id] = x.LogSeq
		return []frame{logFrame(topic, logChunk{Execution: id, Seq: x.LogSeq, Check: true})}, nil
	}
	chunks, err := d.l.web.cfg.Store.Logs(d.ctx, id, after, logPage)
	if err != nil {
		return nil, err
	}
	if len(chunks) == 0 { // a page that has just come may still lack older ones
		return []frame{logFrame(topic, logChunk{Execution: id, Seq: after, Check: true})}, nil
	}
	frames := make([]frame, 0, len(chunks))
	for _, c := range chunks {
		frames = append(frames, logFrame(topic, chunkOf(c)))
		d.l.sent[id] = c.Seq
	}
	if len(chunks) == logPage {
		d.l.note(true, change{changedLogs, id})
	}
	return frames, nil
}

// logCheck tells a page that has just come the newest number, so that it fetches what it lacks.
func (d *drawing) logCheck(c change) []frame {
	x, err := d.l.web.cfg.Store.Execution(d.ctx, c.id)
	if err != nil {
		return nil
	}
	if _, known := d.l.sent[c.id]; !known {
		d.l.sent[c.id] = x.LogSeq
	}
	return []frame{logFrame(topicLogs+c.id, logChunk{Execution: c.id, Seq: x.LogSeq, Check: true})}
}

func logFrame(topic string, c logChunk) frame {
	raw, err := json.Marshal(c)
	if err != nil {
		return frame{}
	}
	name := topic + " " + padded(c.Seq)
	if c.Check {
		name += " check"
	}
	return frame{topic: topic, name: name, data: message("log", raw)}
}
