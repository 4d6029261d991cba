package web

import (
	"bytes"
	"context"
	"hash/maphash"
	"slices"
	"strings"
)

// frame is one message, and who gets it.
type frame struct {
	topic string // the topic that shows it
	name  string // what it draws: the same name later is the same thing, drawn anew
	data  []byte // as it goes over the wire
	fits  func(subscription) bool
}

// goesTo reports whether a group shows the frame.
func (f frame) goesTo(sub subscription) bool {
	_, ok := sub.topics[f.topic]
	return ok && (f.fits == nil || f.fits(sub))
}

// flush draws what changed and hands it out. It reports whether something is left for the next time.
func (l *live) flush(ctx context.Context) (more bool) {
	seq, dirty, joining, groups, more := l.take()
	if len(groups) == 0 {
		clear(l.seen)
		clear(l.sent)
		return false
	}
	d := newDrawing(ctx, l, groups)
	var frames []frame
	told := make(map[string]bool) // names of frames that a hint asked for
	for c, hint := range dirty {
		for _, f := range d.draw(c) {
			frames = append(frames, f)
			told[f.name] = told[f.name] || hint
		}
	}
	slices.SortStableFunc(frames, func(a, b frame) int { return strings.Compare(a.name, b.name) })
	end := []byte("id: " + l.id(seq) + "\n\n")
	l.mu.Lock()
	for _, g := range groups {
		if batch := l.batch(g, frames); len(batch) > 0 {
			l.give(g, nil, append(batch, end...))
		}
	}
	l.mu.Unlock()
	l.catchUp(d, joining, end)
	return more
}

// take moves what is to be done out of the lock.
func (l *live) take() (seq int64, dirty map[change]bool, joining []*client, groups []*group, more bool) {
	l.mu.Lock()
	if len(l.dirty) > maxDirty {
		clear(l.dirty)
		defer l.resyncAll() // after the lock is free
	}
	defer l.mu.Unlock()
	seq, dirty = l.seq, l.dirty
	if len(dirty) > maxFlush {
		// The newest first: they are what is looked at. The rest waits for the next time.
		all := sortedChanges(dirty)
		dirty = make(map[change]bool, maxFlush)
		for _, c := range all[:maxFlush] {
			dirty[c] = l.dirty[c]
			delete(l.dirty, c)
		}
		more = true
	} else {
		l.dirty = make(map[change]bool)
	}
	joining, l.joining = l.joining, nil
	for _, g := range l.groups {
		groups = append(groups, g)
	}
	return seq, dirty, joining, groups, more
}

func sortedChanges(m map[change]bool) []change {
	out := make([]change, 0, len(m))
	for c := range m {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b change) int { return strings.Compare(b.id, a.id) })
	return out
}

// batch puts together what a group gets: frames that it shows and that do not look as they did. The caller holds mu.
func (l *live) batch(g *group, frames []frame) []byte {
	var out bytes.Buffer
	for _, f := range frames {
		if !f.goesTo(g.sub) {
			continue
		}
		sum := maphash.Bytes(l.seed, f.data)
		if g.last[f.name] == sum {
			continue
		}
		if len(g.last) > maxRemind {
			clear(g.last)
		}
		g.last[f.name] = sum
		out.Write(f.data)
	}
	return out.Bytes()
}

// catchUp sends to pages that have just come what changed since they were drawn.
func (l *live) catchUp(d *drawing, joining []*client, end []byte) {
	for _, c := range joining {
		var out bytes.Buffer
		for _, missed := range c.missed {
			frames := d.draw
			if missed.kind == changedLogs {
				frames = d.logCheck // chunks go to all at once or not at all
			}
			for _, f := range frames(missed) {
				if f.goesTo(c.group.sub) {
					out.Write(f.data)
				}
			}
		}
		out.Write(end)
		l.mu.Lock()
		l.give(c.group, c, out.Bytes())
		c.missed = nil
		l.mu.Unlock()
	}
}
