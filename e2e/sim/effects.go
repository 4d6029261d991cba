package sim

import (
	"time"

	"octopus/agent/core"
	"octopus/agent/link"
	"octopus/internal/wire"
)

// perform carries out one effect of the core, as package agent does.
func (m *machine) perform(effect core.Effect) {
	switch e := effect.(type) {
	case core.Send:
		m.send(e.Message)
	case core.Note:
		m.accept(e.Offer)
	case core.Start:
		m.begin(e.Offer, e.Attempt)
	case core.Permit:
		if g := m.guests[e.Key]; g != nil {
			g.permitted(e.Err)
		}
	case core.Flag:
		if g := m.guests[e.Key]; g != nil {
			g.flagged()
		}
	case core.Kill:
		if g := m.guests[e.Key]; g != nil {
			g.kill(e.Reason)
		}
	case core.Keep:
		m.w.note(m.name, "keeps the result of %s fence %d: %s %s", e.Key.Execution, e.Key.Fence, e.Result.Outcome, e.Result.Reason)
		r := e.Result
		m.disk.add(record{kind: noteResult, key: e.Key, result: &r})
		m.w.witness.kept(e.Key, &r, m.blobs[e.Key])
		m.disk.sync(m.proc, nil)
	case core.Upload:
		m.upload(e)
	case core.Commit:
		m.forget(e.Key, "commits")
	case core.File:
		m.forget(e.Key, "files away ("+e.Why+")")
	case core.Drop:
		m.forget(e.Key, "drops")
	case core.Reconnect:
		m.reconnect(e)
	}
}

func (m *machine) send(msg wire.Message) {
	if m.conn == nil {
		return
	}
	m.w.noteMessage(m.name, m.conn.s.name, msg)
	m.conn.send(true, msg)
}

// accept writes an accept into the journal and sends it.
func (m *machine) accept(o *wire.Offer) {
	key := core.Key{Execution: o.Execution, Fence: o.Fence}
	if m.disk.full {
		m.waiting = append(m.waiting, core.NoteFailed{Key: key})
		return
	}
	m.disk.add(record{kind: noteAccepted, key: key, offer: o})
	m.guests[key] = nil
	m.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
}

func (m *machine) forget(key core.Key, how string) {
	m.w.note(m.name, "%s %s fence %d", how, key.Execution, key.Fence)
	delete(m.guests, key)
	delete(m.blobs, key)
	m.disk.add(record{kind: noteClosed, key: key})
}

// uploadWithin is how long an upload waits for its answer.
const uploadWithin = 3 * time.Second

// upload puts a large result to whichever server answers.
func (m *machine) upload(e core.Upload) {
	w := m.w
	answered := false
	answer := func(err error) {
		if !answered {
			answered = true
			m.post(core.Uploaded{Key: e.Key, Err: err})
		}
	}
	w.after(uploadWithin, m.proc, func() { answer(errUnreachable) })
	s := w.servers[w.rng.IntN(len(w.servers))]
	if !s.up() || w.blocked(m, s) {
		return
	}
	w.faults["uploads"]++
	raw, p := m.blobs[e.Key], m.proc
	w.after(w.between(0, 50*time.Millisecond), s.proc, func() {
		w.spawn(s.proc, func() {
			err := s.db.saveBlob(e.SHA256, raw)
			w.after(w.between(0, 50*time.Millisecond), p, func() { answer(err) })
		})
	})
}

// reconnect gives up the open connection; with a window another one is opened within it first.
func (m *machine) reconnect(e core.Reconnect) {
	c := m.conn
	if c == nil {
		return
	}
	if e.Max > 0 {
		m.window = link.Window{Min: e.Min, Max: e.Max}
		m.w.after(m.backoff.Next(nil, 0, m.window), m.proc, func() { m.succeed(c) })
		return
	}
	m.w.note(m.name, "gives its connection up: %s", e.Cause)
	m.conn = nil
	c.closeBy(false)
	m.dialAfter(m.backoff.Next(nil, m.w.now-m.opened, m.window))
	m.window = link.Window{}
}

// succeed opens the connection that takes another one's place.
func (m *machine) succeed(c *conn) {
	if m.conn != c {
		return // it has ended by itself
	}
	s, err := m.reach()
	if err != nil {
		m.w.after(m.backoff.Next(err, 0, link.Window{}), m.proc, func() { m.succeed(c) })
		return
	}
	m.w.note(m.name, "leaves %s for %s", c.s.name, s.name)
	m.conn = nil
	c.closeBy(false)
	m.post(core.Disconnected{})
	m.window = link.Window{}
	m.open(s)
}
