package storetest

import (
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func testEnrol(t *testing.T, s *store.Store) {
	now := s.Now()
	token := octopus.JoinToken{ID: "tok_1", Name: "web", Hash: []byte("h1"), Labels: map[string]string{"env": "prod"}, MaxUses: 2, ExpiresAt: now.Add(time.Hour), CreatedBy: "ada"}
	check(t, s.CreateJoinToken(t.Context(), token))
	check(t, s.CreateJoinToken(t.Context(), octopus.JoinToken{ID: "tok_2", Name: "old", Hash: []byte("h2"), ExpiresAt: now.Add(-time.Hour)}))
	check(t, s.CreateJoinToken(t.Context(), octopus.JoinToken{ID: "tok_3", Name: "gone", Hash: []byte("h3")}))
	check(t, s.RevokeJoinToken(t.Context(), "tok_3"))
	wantCode(t, s.RevokeJoinToken(t.Context(), "tok_none"), octopus.CodeNotFound)

	a := octopus.Agent{Name: "web-01", PublicKey: []byte("key 1"), Slots: 4, Labels: map[string]string{"env": "dev", "rack": "7"}, Facts: octopus.Facts{OS: "linux"}}
	first, err := s.Enrol(t.Context(), token.Hash, a)
	check(t, err)
	if first.Labels["env"] != "prod" || first.Labels["rack"] != "7" || first.EnrolledBy != "web" || !first.Enabled {
		t.Fatalf("enrolled %+v", first)
	}
	again, err := s.Enrol(t.Context(), token.Hash, a)
	check(t, err)
	equal(t, "same key", again.ID, first.ID)
	a.PublicKey = []byte("key 2")
	second, err := s.Enrol(t.Context(), token.Hash, a)
	check(t, err)
	equal(t, "name", second.Name, "web-01-2")
	a.PublicKey = []byte("key 3")
	for hash, code := range map[string]octopus.Code{"h1": octopus.CodeDenied, "h2": octopus.CodeDenied, "h3": octopus.CodeDenied, "none": octopus.CodeUnauthenticated} {
		_, err = s.Enrol(t.Context(), []byte(hash), a)
		wantCode(t, err, code)
	}
	tokens, err := s.JoinTokens(t.Context())
	check(t, err)
	if len(tokens) != 3 || tokens[2].Uses != 2 || tokens[0].RevokedAt.IsZero() {
		t.Fatalf("tokens %+v", tokens)
	}
	check(t, s.RemoveJoinToken(t.Context(), tokens[0].ID))
	check(t, s.RemoveJoinToken(t.Context(), tokens[0].ID))
	left, err := s.JoinTokens(t.Context())
	check(t, err)
	if len(left) != 2 || left[0].ID != tokens[1].ID || left[1].ID != tokens[2].ID {
		t.Fatalf("left %+v", left)
	}
	_, err = s.UpdateAgent(t.Context(), first.ID, func(a *octopus.Agent) error { a.Revoked = true; return nil })
	check(t, err)
	a.PublicKey = []byte("key 1")
	_, err = s.Enrol(t.Context(), token.Hash, a)
	wantCode(t, err, octopus.CodeDenied)
	_, err = s.UpdateAgent(t.Context(), second.ID, func(a *octopus.Agent) error { a.Name = "web-01"; return nil })
	wantCode(t, err, octopus.CodeConflict)
	check(t, s.RemoveAgent(t.Context(), first.ID))
	wantCode(t, s.RemoveAgent(t.Context(), first.ID), octopus.CodeNotFound)
	renamed, err := s.UpdateAgent(t.Context(), second.ID, func(a *octopus.Agent) error { a.Name, a.Drained = "web-01", true; return nil })
	check(t, err)
	stored, err := s.Agent(t.Context(), "web-01")
	check(t, err)
	if stored.ID != renamed.ID || !stored.Drained || stored.Facts.OS != "linux" {
		t.Fatalf("stored %+v", stored)
	}
}

func testAgentSessions(t *testing.T, s *store.Store) {
	a, err := Agent(s, "web-01")
	check(t, err)
	online := func() bool {
		t.Helper()
		a, err := s.Agent(t.Context(), a.ID)
		check(t, err)
		return a.Connected
	}
	equal(t, "online before", online(), false)
	check(t, s.NoteRefusal(t.Context(), a.ID, "The nonce was used before."))
	open := octopus.AgentSession{AgentID: a.ID, ServerID: "srv_1", Incarnation: "i", RemoteAddr: "10.0.0.1:1"}
	epoch, err := s.OpenSession(t.Context(), open, octopus.Facts{Hostname: "web-01", CPUs: 8})
	check(t, err)
	equal(t, "epoch", epoch, 1)
	equal(t, "online without its server's lease", online(), false)
	check(t, s.RenewServer(t.Context(), store.Server{ID: "srv_1", StartedAt: s.Now()}))
	equal(t, "online", online(), true)
	epoch, err = s.OpenSession(t.Context(), open, octopus.Facts{Hostname: "web-01", CPUs: 16})
	check(t, err)
	equal(t, "epoch", epoch, 2)
	check(t, s.CloseSession(t.Context(), a.ID, 1, "too late"))
	equal(t, "online after the old session's end", online(), true)
	check(t, s.CloseSession(t.Context(), a.ID, 2, "went away"))
	equal(t, "online after the end", online(), false)
	sessions, err := s.AgentSessions(t.Context(), a.ID, 10)
	check(t, err)
	if len(sessions) != 2 || sessions[0].Cause != "went away" || sessions[1].Cause != "superseded" || sessions[1].DisconnectedAt.IsZero() {
		t.Fatalf("sessions %+v", sessions)
	}
	_, err = s.OpenSession(t.Context(), open, octopus.Facts{})
	check(t, err)
	n, err := s.CloseServerSessions(t.Context(), "srv_1", "server restarted")
	check(t, err)
	equal(t, "closed", n, 1)
	servers, err := s.Servers(t.Context())
	check(t, err)
	equal(t, "the server is forgotten where it was the only one", len(servers) == 0, s.Dialect() == "sqlite")
	stored, err := s.Agent(t.Context(), a.ID)
	check(t, err)
	if stored.Connected || stored.LastSeen.IsZero() || stored.SessionEpoch != 3 || stored.LastRefusal != "" {
		t.Fatalf("agent %+v", stored)
	}
	open.AgentID = "agt_none"
	_, err = s.OpenSession(t.Context(), open, octopus.Facts{})
	wantCode(t, err, octopus.CodeNotFound)
}

func testAgentLists(t *testing.T, s *store.Store) {
	check(t, s.RenewServer(t.Context(), store.Server{ID: "srv_1", StartedAt: s.Now()}))
	for i, name := range []string{"db-01", "web-01", "web-02"} {
		a, err := Agent(s, name)
		check(t, err)
		facts := octopus.Facts{Hostname: name + ".example.com", OS: "linux", Addresses: []string{"10.0.0." + name[len(name)-1:]}}
		_, err = s.OpenSession(t.Context(), octopus.AgentSession{AgentID: a.ID, ServerID: "srv_1"}, facts)
		check(t, err)
		if i == 2 {
			_, err = s.UpdateAgent(t.Context(), a.ID, func(a *octopus.Agent) error { a.Enabled = false; return nil })
			check(t, err)
		}
		if i == 0 {
			check(t, s.CloseSession(t.Context(), a.ID, 1, "gone"))
		}
	}
	for name, c := range map[string]struct {
		filter store.AgentFilter
		want   string
	}{
		"all":      {store.AgentFilter{}, "db-01 web-01 web-02 "},
		"online":   {store.AgentFilter{Status: octopus.AgentOnline}, "web-01 "},
		"offline":  {store.AgentFilter{Status: octopus.AgentOffline}, "db-01 "},
		"disabled": {store.AgentFilter{Status: octopus.AgentDisabled}, "web-02 "},
		"selector": {store.AgentFilter{Selector: "name=web-*"}, "web-01 web-02 "},
		"text":     {store.AgentFilter{Text: "10.0.0.1"}, "db-01 web-01 "},
		"key":      {store.AgentFilter{Text: "agent_version"}, ""},
	} {
		got := ""
		for _, a := range all(t, 1, false, func(p store.Page) ([]octopus.Agent, string, error) { return s.Agents(t.Context(), c.filter, p) }) {
			got += a.Name + " "
		}
		equal(t, name, got, c.want)
	}
}
