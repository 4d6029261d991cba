package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store"
)

func testMeta(t *testing.T, s *store.Store) {
	secret, err := s.Secret(t.Context(), "nonce", 32)
	check(t, err)
	again, err := s.Secret(t.Context(), "nonce", 32)
	check(t, err)
	if len(secret) != 32 || !bytes.Equal(secret, again) {
		t.Fatal("a secret changed")
	}
	other, err := s.Secret(t.Context(), "other", 32)
	check(t, err)
	if bytes.Equal(secret, other) {
		t.Fatal("two secrets are the same")
	}
	_, err = s.Meta(t.Context(), "k")
	wantCode(t, err, octopus.CodeNotFound)
	check(t, s.SetMeta(t.Context(), "k", "1"))
	check(t, s.SetMeta(t.Context(), "k", "2"))
	value, err := s.Meta(t.Context(), "k")
	check(t, err)
	equal(t, "value", value, "2")
	value, err = s.TakeMeta(t.Context(), "k")
	check(t, err)
	equal(t, "taken", value, "2")
	_, err = s.TakeMeta(t.Context(), "k")
	wantCode(t, err, octopus.CodeNotFound)
}

func testServers(t *testing.T, s *store.Store) {
	check(t, s.RenewServer(t.Context(), store.Server{ID: "srv_1", URL: "http://a", Version: "1", Agents: 3, StartedAt: s.Now()}))
	check(t, s.RenewServer(t.Context(), store.Server{ID: "srv_1", URL: "http://a", Version: "1", Agents: 4, StartedAt: s.Now()}))
	servers, err := s.Servers(t.Context())
	check(t, err)
	if len(servers) != 1 || servers[0].Agents != 4 || !servers[0].Alive(s.Now()) || servers[0].Alive(s.Now().Add(time.Minute)) {
		t.Fatalf("servers %+v", servers)
	}
}

func testOverview(t *testing.T, s *store.Store) {
	for _, status := range octopus.Statuses {
		reach(t, s, status)
	}
	o, err := s.Overview(t.Context())
	check(t, err)
	equal(t, "queued", o.Queued, 2)
	equal(t, "running", o.Running, 1)
	equal(t, "hours", len(o.PerHour), 24)
	ended := 0
	for _, hour := range o.PerHour {
		ended += hour.Counts.Total()
	}
	for _, status := range octopus.Statuses {
		want := 0
		if status.Terminal() {
			want = 1
		}
		equal(t, string(status), o.ByStatus24h[status], want)
	}
	equal(t, "ended", ended, 7)
	if len(o.Plugins) != 1 || o.Plugins[0].Plugin != "noop" || o.Plugins[0].Counts.Total() != 7 {
		t.Fatalf("plugins %+v", o.Plugins)
	}
}

func testPurge(t *testing.T, s *store.Store) {
	done, running := reach(t, s, octopus.Succeeded), reach(t, s, octopus.Running)
	_, err := s.AppendLogs(t.Context(), []octopus.LogChunk{chunk(done, 1, "x")})
	check(t, err)
	n, err := s.Purge(t.Context(), s.Now().Add(-time.Hour), 10)
	check(t, err)
	equal(t, "purged too early", n, 0)
	n, err = s.Purge(t.Context(), s.Now().Add(time.Hour), 10)
	check(t, err)
	equal(t, "purged", n, 1)
	_, err = s.Execution(t.Context(), done)
	wantCode(t, err, octopus.CodeNotFound)
	_, err = s.Execution(t.Context(), running)
	check(t, err)
	events, err := s.Events(t.Context(), done)
	check(t, err)
	chunks, err := s.Logs(t.Context(), done, 0, 0)
	check(t, err)
	equal(t, "left behind", len(events)+len(chunks), 0)
	o, err := s.Overview(t.Context())
	check(t, err)
	equal(t, "the roll-up", o.ByStatus24h[octopus.Succeeded], 1)
}

// testHints: hints come after the commit, so that whoever hears one reads the change.
func testHints(t *testing.T, plain *store.Store) {
	b := bus.NewLocal()
	defer b.Close()
	s, err := store.Open(t.Context(), store.Options{URL: sameURL(plain), Bus: b})
	check(t, err)
	defer s.Close()
	subscription := b.Subscribe(100, "*")
	defer subscription.Close()
	run, ids := create(t, s, 1, nil)
	step(t, s, ids[0], Offer("agt_1"))
	_, err = s.AppendLogs(t.Context(), []octopus.LogChunk{chunk(ids[0], 3, "x")})
	check(t, err)
	_, err = s.Step(t.Context(), ids[0], func(octopus.Execution, time.Time) (store.Change, error) { return store.Change{}, store.ErrNoChange })
	check(t, err)
	subscription.Close()
	var heard []string
	for hint := range subscription.C() {
		heard = append(heard, fmt.Sprintf("%s=%s/%d", hint.Topic, hint.ID, hint.Seq))
	}
	for _, want := range []string{"executions=" + ids[0] + "/0", "execution:" + ids[0] + "=" + ids[0] + "/0",
		"run:" + run.ID + "=" + run.ID + "/0", "logs:" + ids[0] + "=" + ids[0] + "/3"} {
		if !slices.Contains(heard, want) {
			t.Errorf("no hint %s in %v", want, heard)
		}
	}
}

func testClosed(t *testing.T, s *store.Store) {
	_, ids := create(t, s, 1, nil)
	check(t, s.Close())
	check(t, s.Close())
	_, err := s.Step(t.Context(), ids[0], Accept)
	wantCode(t, err, octopus.CodeUnavailable)
	reopened, err := store.Open(t.Context(), store.Options{URL: sameURL(s)})
	check(t, err)
	defer reopened.Close()
	_, err = reopened.Execution(t.Context(), ids[0])
	check(t, err)
}

// testPurgeEnded: what ended before a time goes; what is in use stays, and so does what its agents know of it.
func testPurgeEnded(t *testing.T, s *store.Store) {
	ctx, now := t.Context(), s.Now()
	agent, err := Agent(s, "web-01")
	check(t, err)
	for id, ends := range map[string]time.Time{"tok_over": now.Add(-time.Hour), "tok_used": now.Add(time.Hour), "tok_endless": {}, "tok_revoked": {}, "tok_both": now.Add(-2 * time.Hour)} {
		check(t, s.CreateJoinToken(ctx, octopus.JoinToken{ID: id, Name: id, Hash: []byte(id), ExpiresAt: ends}))
	}
	check(t, s.RevokeJoinToken(ctx, "tok_revoked"))
	check(t, s.RevokeJoinToken(ctx, "tok_both"))
	check(t, s.RenewServer(ctx, store.Server{ID: "srv_1", StartedAt: now}))
	left := func(before time.Time) string {
		t.Helper()
		_, err := s.PurgeExpired(ctx, before)
		check(t, err)
		tokens, err := s.JoinTokens(ctx)
		check(t, err)
		var ids []string
		for _, token := range tokens {
			if strings.HasPrefix(token.ID, "tok_") && token.ID == token.Name {
				ids = append(ids, token.ID)
			}
		}
		slices.Sort(ids)
		servers, err := s.Servers(ctx)
		check(t, err)
		return fmt.Sprint(ids, len(servers))
	}
	equal(t, "before any ended", left(now.Add(-3*time.Hour)), "[tok_both tok_endless tok_over tok_revoked tok_used] 1")
	equal(t, "before the revoked ones", left(now.Add(-time.Minute)), "[tok_both tok_endless tok_revoked tok_used] 1")
	equal(t, "after them", left(now.Add(time.Minute)), "[tok_endless tok_used] 1")
	equal(t, "a day less a little later", left(now.Add(23*time.Hour)), "[tok_endless] 1")
	equal(t, "a day later", left(now.Add(25*time.Hour)), "[tok_endless] 0")
	check(t, s.RenewServer(ctx, store.Server{ID: "srv_1", StartedAt: now})) // it lives after all
	equal(t, "back again", left(now), "[tok_endless] 1")
	stored, err := s.Agent(ctx, agent.ID)
	check(t, err)
	equal(t, "its token's name", stored.EnrolledBy, agent.EnrolledBy)
}
