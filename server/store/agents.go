package store

import (
	"bytes"
	"context"
	"fmt"

	"octopus/internal/octopus"
)

const agentColumns = `agents.id, agents.name, public_key, labels, slots, facts, enabled, drained, revoked, created_at,
enrolled_by, session_epoch, connected_at, disconnected_at, last_refusal, last_refusal_at,
server_id <> '' AND EXISTS (SELECT 1 FROM servers WHERE servers.id = agents.server_id AND servers.renewed_at > ?)`

// leaseLimit is the oldest renewal with which a server still counts as alive.
func (s *Store) leaseLimit() int64 { return micros(s.Now().Add(-serverLease)) }

// scanAgent reads agentColumns. LastSeen is filled in for agents that are offline; for the others it is now.
func (s *Store) scanAgent(row scanner) (octopus.Agent, error) {
	var a octopus.Agent
	err := row.Scan(&a.ID, &a.Name, &a.PublicKey, jsonInto{&a.Labels}, &a.Slots, jsonInto{&a.Facts}, &a.Enabled, &a.Drained, &a.Revoked,
		timeInto{&a.CreatedAt}, &a.EnrolledBy, &a.SessionEpoch, timeInto{&a.ConnectedAt}, timeInto{&a.LastSeen}, &a.LastRefusal,
		timeInto{&a.LastRefusalAt}, &a.Connected)
	switch {
	case err != nil:
		return a, err
	case a.Connected:
		a.LastSeen = s.Now()
	case a.LastSeen.IsZero(): // its server died with the session open
		a.LastSeen = a.ConnectedAt
	}
	return a, nil
}

// Agent returns an agent by id or name.
func (s *Store) Agent(ctx context.Context, idOrName string) (octopus.Agent, error) {
	a, err := s.loadAgent(ctx, s.reads, idOrName)
	if err != nil {
		return a, s.notFound(err, "agent", idOrName)
	}
	return a, nil
}

func (s *Store) loadAgent(ctx context.Context, q queryer, idOrName string) (octopus.Agent, error) {
	column := "agents.name"
	if octopus.ValidID(octopus.PrefixAgent, idOrName) {
		column = "agents.id"
	}
	return s.scanAgent(q.row(ctx, "SELECT "+agentColumns+" FROM agents WHERE "+column+" = ?", s.leaseLimit(), idOrName))
}

// UpdateAgent changes name, labels, slots, facts and the flags of an agent in one transaction.
func (s *Store) UpdateAgent(ctx context.Context, id string, change func(*octopus.Agent) error) (octopus.Agent, error) {
	var a octopus.Agent
	err := s.write(ctx, func(t *tx) (err error) {
		if a, err = s.loadAgent(ctx, t, id); err != nil {
			return s.notFound(err, "agent", id)
		}
		if err := change(&a); err != nil {
			return err
		}
		_, err = t.exec("UPDATE agents SET name = ?, labels = ?, slots = ?, facts = ?, enabled = ?, drained = ?, revoked = ? WHERE id = ?",
			clean(a.Name), clean(encodeMap(a.Labels)), int64(a.Slots), clean(encode(a.Facts)), a.Enabled, a.Drained, a.Revoked, a.ID)
		if isUnique(err) {
			return octopus.Errorf(octopus.CodeConflict, "There is another agent named %q. Choose another name.", a.Name)
		}
		t.hintAgent(a.ID)
		return s.fail("agent", err)
	})
	return a, err
}

// RemoveAgent forgets an agent and its connections. Its executions keep its name.
func (s *Store) RemoveAgent(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM agents WHERE id = ?", id)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no agent %q.", id)
		}
		if err == nil {
			_, err = t.exec("DELETE FROM agent_sessions WHERE agent_id = ?", id)
		}
		t.hintAgent(id)
		return s.fail("agent", err)
	})
}

func (t *tx) hintAgent(id string) {
	t.hint("agents", id)
	t.hint("agent:"+id, id)
}

// NoteRefusal remembers why an agent was not let in, for the agents page. Agents that do not exist are ignored.
func (s *Store) NoteRefusal(ctx context.Context, agentID, reason string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE agents SET last_refusal = ?, last_refusal_at = ? WHERE id = ?", shorten(reason, maxMessage), micros(t.now), agentID)
		if n > 0 {
			t.hintAgent(agentID)
		}
		return s.fail("refusal", err)
	})
}

// Enrol registers a machine's key with a join token. The token's labels are forced, its uses grow by one. A name
// that is taken gets "-2", "-3" …; a key that is registered already is the same agent and costs no use.
func (s *Store) Enrol(ctx context.Context, tokenHash []byte, a octopus.Agent) (octopus.Agent, error) {
	var enrolled octopus.Agent
	err := s.write(ctx, func(t *tx) (err error) {
		enrolled, err = t.enrol(tokenHash, a)
		return err
	})
	return enrolled, err
}

func (t *tx) enrol(tokenHash []byte, a octopus.Agent) (octopus.Agent, error) {
	ctx, s := context.Background(), t.store
	token, err := scanJoinToken(t.row(ctx, "SELECT "+joinTokenColumns+" FROM join_tokens WHERE hash = ?", tokenHash))
	if isNoRow(err) {
		return a, octopus.Errorf(octopus.CodeUnauthenticated, "This join token is not known here. Copy the whole line from \"Add an agent\" again.")
	}
	if err != nil {
		return a, s.fail("join token", err)
	}
	known, err := s.scanAgent(t.row(ctx, "SELECT "+agentColumns+" FROM agents WHERE public_key = ?", s.leaseLimit(), a.PublicKey))
	switch {
	case err == nil && !known.Revoked:
		return known, nil // the answer of the first try was lost
	case err == nil:
		return a, octopus.Errorf(octopus.CodeDenied, "The key of this machine was revoked. Remove the agent's data folder to enrol it as a new one.")
	case !isNoRow(err):
		return a, s.fail("agent", err)
	}
	if err := usable(token, t); err != nil {
		return a, err
	}
	return t.addAgent(token, a)
}

func usable(token octopus.JoinToken, t *tx) error {
	switch {
	case !token.RevokedAt.IsZero():
		return octopus.Errorf(octopus.CodeDenied, "This join token was revoked. Ask for a new one under \"Add an agent\".")
	case !token.ExpiresAt.IsZero() && !token.ExpiresAt.After(t.now):
		return octopus.Errorf(octopus.CodeDenied, "This join token has expired. Ask for a new one under \"Add an agent\".")
	case token.MaxUses > 0 && token.Uses >= token.MaxUses:
		return octopus.Errorf(octopus.CodeDenied, "This join token is used up. Ask for a new one under \"Add an agent\".")
	}
	return nil
}

func (t *tx) addAgent(token octopus.JoinToken, a octopus.Agent) (octopus.Agent, error) {
	name, err := t.freeName(a.Name)
	if err != nil {
		return a, t.store.fail("agent's name", err)
	}
	labels := make(map[string]string)
	for _, from := range []map[string]string{a.Labels, token.Labels} { // the token's win
		for key, value := range from {
			labels[key] = value
		}
	}
	a.Name, a.Labels, a.EnrolledBy, a.Enabled, a.CreatedAt = name, labels, token.Name, true, t.now
	if a.ID == "" {
		a.ID = octopus.NewID(octopus.PrefixAgent, t.now)
	}
	_, err = t.exec(`INSERT INTO agents (id, name, public_key, labels, slots, facts, enabled, drained, revoked, created_at, enrolled_by,
session_epoch, server_id, connected_at, disconnected_at, last_refusal, last_refusal_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, 0, '', 0)`,
		a.ID, clean(a.Name), bytes.Clone(a.PublicKey), clean(encodeMap(labels)), int64(a.Slots), clean(encode(a.Facts)), true, a.Drained, false,
		micros(t.now), clean(token.Name))
	if err == nil {
		_, err = t.exec("UPDATE join_tokens SET uses = uses + 1 WHERE id = ?", token.ID)
	}
	t.hintAgent(a.ID)
	return a, t.store.fail("agent", err)
}

// freeName returns name, or name-2, name-3 … where it is taken.
func (t *tx) freeName(name string) (string, error) {
	if name == "" {
		name = "agent"
	}
	for n := 1; ; n++ {
		try := name
		if n > 1 {
			try = fmt.Sprintf("%s-%d", name, n)
		}
		taken, err := one[int64](t.row(context.Background(), "SELECT count(*) FROM agents WHERE name = ?", try))
		if err != nil || taken == 0 {
			return try, err
		}
	}
}
