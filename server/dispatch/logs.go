package dispatch

import (
	"context"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// maxLogLines bounds the lines of one chunk.
const maxLogLines = 20_000

// log writes a chunk and acknowledges it after the commit. A chunk that nobody can use is acknowledged too, so that
// the agent's spool does not keep it for ever.
func (s *Session) log(ctx context.Context, m *wire.Log) error {
	if m.Seq <= 0 || len(m.Lines) > maxLogLines {
		return octopus.Errorf(octopus.CodeMalformed, "A log chunk has no sequence, or more than %d lines.", maxLogLines)
	}
	d := s.d
	d.mu.Lock()
	mine := s.holds(m.Execution, m.Fence) != nil
	d.mu.Unlock()
	chunk := logChunk(m, d.store.Now())
	return d.steps.do(ctx, m.Execution, func() {
		if !mine && !s.ran(d.base, m) {
			s.send(&wire.LogAck{Execution: m.Execution, Seq: m.Seq})
			return
		}
		acked, err := d.store.AppendLogs(d.base, []octopus.LogChunk{chunk})
		if err != nil {
			d.cfg.Log.Warn("log chunk not stored", "execution", m.Execution, "err", err)
			return // not acknowledged: the agent sends it again
		}
		seq := m.Seq
		if to, ok := acked[m.Execution]; ok {
			seq = to
		}
		s.send(&wire.LogAck{Execution: m.Execution, Seq: seq})
	})
}

// ran reports whether the agent had the execution in the attempt that a late chunk speaks of.
func (s *Session) ran(ctx context.Context, m *wire.Log) bool {
	x, err := s.d.store.Execution(ctx, m.Execution)
	if err != nil {
		return false
	}
	if x.AgentID == s.agentID && x.Attempt == m.Attempt {
		return true
	}
	attempts, err := s.d.store.Attempts(ctx, m.Execution)
	if err != nil {
		return false
	}
	for _, a := range attempts {
		if a.AgentID == s.agentID && a.Number == m.Attempt && a.Fence == m.Fence {
			return true
		}
	}
	return false
}

func logChunk(m *wire.Log, now time.Time) octopus.LogChunk {
	c := octopus.LogChunk{ExecutionID: m.Execution, Attempt: m.Attempt, Seq: m.Seq, Stream: "stderr"}
	if m.Stream == "host" {
		c.Stream = m.Stream
	}
	for _, l := range m.Lines {
		c.Lines = append(c.Lines, octopus.LogLine{At: now.Add(-ms(l.AgoMS)), Text: l.Text})
	}
	return c
}
