package store

import (
	"context"

	"octopus/internal/octopus"
)

// keptSessions is how many connections of an agent are remembered.
const keptSessions = 200

// OpenSession records that an agent connected and returns its new epoch. A session that was open is superseded.
func (s *Store) OpenSession(ctx context.Context, session octopus.AgentSession, facts octopus.Facts) (epoch int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		epoch, err = t.openSession(session, facts)
		return err
	})
	return epoch, err
}

func (t *tx) openSession(session octopus.AgentSession, facts octopus.Facts) (epoch int64, err error) {
	now := micros(t.now)
	n, err := t.exec(`UPDATE agents SET session_epoch = session_epoch + 1, server_id = ?, connected_at = ?, disconnected_at = 0,
last_refusal = '', last_refusal_at = 0, facts = ? WHERE id = ?`, session.ServerID, now, clean(encode(facts)), session.AgentID)
	if err == nil && n == 0 {
		return 0, octopus.Errorf(octopus.CodeNotFound, "There is no agent %q.", session.AgentID)
	}
	if err == nil {
		epoch, err = one[int64](t.row(context.Background(), "SELECT session_epoch FROM agents WHERE id = ?", session.AgentID))
	}
	if err == nil {
		_, err = t.exec("UPDATE agent_sessions SET disconnected_at = ?, cause = 'superseded' WHERE agent_id = ? AND disconnected_at = 0",
			now, session.AgentID)
	}
	if err == nil {
		_, err = t.exec("INSERT INTO agent_sessions ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, 0, '')",
			session.AgentID, epoch, session.ServerID, session.Incarnation, clean(session.RemoteAddr), now)
	}
	if err == nil {
		// Epochs have gaps: a restore raises them by far, and the sessions before it still say which journal an agent had.
		_, err = t.exec(`DELETE FROM agent_sessions WHERE agent_id = ? AND epoch <= (SELECT epoch FROM agent_sessions WHERE agent_id = ?
ORDER BY epoch DESC LIMIT 1 OFFSET ?)`, session.AgentID, session.AgentID, keptSessions)
	}
	t.hintAgent(session.AgentID)
	return epoch, t.store.fail("agent's session", err)
}

// CloseSession records that a session ended. A session that was superseded stays as it is.
func (s *Store) CloseSession(ctx context.Context, agentID string, epoch int64, cause string) error {
	return s.write(ctx, func(t *tx) error {
		now := micros(t.now)
		n, err := t.exec("UPDATE agents SET server_id = '', disconnected_at = ? WHERE id = ? AND session_epoch = ? AND server_id <> ''", now, agentID, epoch)
		if err == nil {
			_, err = t.exec("UPDATE agent_sessions SET disconnected_at = ?, cause = ? WHERE agent_id = ? AND epoch = ? AND disconnected_at = 0",
				now, shorten(cause, maxMessage), agentID, epoch)
		}
		if n > 0 {
			t.hintAgent(agentID)
		}
		return s.fail("agent's session", err)
	})
}

// CloseServerSessions ends all sessions of a server that are open in the database: at its start, when none can
// be. It returns how many there were. With SQLite, where no other server looks for it, the server is forgotten.
func (s *Store) CloseServerSessions(ctx context.Context, serverID, cause string) (int, error) {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		now := micros(t.now)
		if n, err = t.exec("UPDATE agents SET server_id = '', disconnected_at = ? WHERE server_id <> '' AND server_id = ?", now, serverID); err == nil {
			_, err = t.exec("UPDATE agent_sessions SET disconnected_at = ?, cause = ? WHERE disconnected_at = 0 AND server_id = ?",
				now, shorten(cause, maxMessage), serverID)
		}
		if err == nil && s.Dialect() == "sqlite" {
			_, err = t.exec("DELETE FROM servers WHERE id = ?", serverID)
		}
		if n > 0 {
			t.hint("agents", "")
		}
		return s.fail("agents' sessions", err)
	})
	return int(n), err
}

const sessionColumns = "agent_id, epoch, server_id, incarnation, remote_addr, connected_at, disconnected_at, cause"

// AgentSessions returns an agent's latest connections, the newest first.
func (s *Store) AgentSessions(ctx context.Context, agentID string, limit int) ([]octopus.AgentSession, error) {
	sessions, err := list(ctx, s.reads, func(row scanner) (a octopus.AgentSession, err error) {
		err = row.Scan(&a.AgentID, &a.Epoch, &a.ServerID, &a.Incarnation, &a.RemoteAddr, timeInto{&a.ConnectedAt}, timeInto{&a.DisconnectedAt}, &a.Cause)
		return a, err
	}, "SELECT "+sessionColumns+" FROM agent_sessions WHERE agent_id = ? ORDER BY epoch DESC LIMIT ?", agentID, bounded(limit))
	return sessions, s.fail("agent's sessions", err)
}
