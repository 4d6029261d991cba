package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// testGrantList pages through decisions of which several were made in the same moment.
func testGrantList(t *testing.T, s *store.Store) {
	ctx, now := t.Context(), s.Now().Truncate(time.Millisecond)
	grant := func(plugin, number, by, caps string, at time.Time) {
		v := version(plugin, number, "sha256:"+plugin+number)
		check(t, s.PublishVersion(ctx, v, "uploaded", "", nil))
		check(t, s.PutGrant(ctx, octopus.Grant{Digest: v.Digest, Capabilities: json.RawMessage(caps), GrantedBy: by, GrantedAt: at}))
	}
	for i := range 7 {
		by := []string{"ada", "bob"}[i%2]
		grant("echo", fmt.Sprintf("1.%d.0", i), by, `{"env":["TZ"]}`, now.Add(time.Duration(i/3)*time.Second))
	}
	grant("notify", "2.0.0", "octopus", `{"http":{"hosts":["Hooks.Example.com"]}}`, now.Add(time.Minute))
	check(t, s.PublishVersion(ctx, version("notify", "2.1.0", "sha256:none"), "uploaded", "", nil)) // nobody decided anything

	names := func(f store.GrantFilter, limit int, descending bool) string {
		t.Helper()
		var out []string
		for _, v := range all(t, limit, descending, func(p store.Page) ([]octopus.PluginVersion, string, error) { return s.GrantedVersions(ctx, f, p) }) {
			if v.Grant == nil || v.Grant.Digest != v.Digest || len(v.Grant.Capabilities) == 0 {
				t.Fatalf("%+v has no grant", v)
			}
			out = append(out, v.Plugin+" "+v.Version)
		}
		return strings.Join(out, ", ")
	}
	const oldest = "echo 1.0.0, echo 1.1.0, echo 1.2.0, echo 1.3.0, echo 1.4.0, echo 1.5.0, echo 1.6.0, notify 2.0.0"
	newest := strings.Split(oldest, ", ")
	slices.Reverse(newest)
	equal(t, "oldest first", names(store.GrantFilter{}, 2, false), oldest)
	equal(t, "newest first", names(store.GrantFilter{}, 3, true), strings.Join(newest, ", "))
	equal(t, "of a plugin", names(store.GrantFilter{Plugin: "notify"}, 50, true), "notify 2.0.0")
	equal(t, "of a digest", names(store.GrantFilter{Digest: "sha256:echo1.4.0"}, 50, true), "echo 1.4.0")
	equal(t, "by somebody", names(store.GrantFilter{GrantedBy: "bob"}, 1, true), "echo 1.5.0, echo 1.3.0, echo 1.1.0")
	for text, want := range map[string]string{"hooks.example": "notify 2.0.0", "NOTIFY": "notify 2.0.0", "1.3": "echo 1.3.0", "octo": "notify 2.0.0", "%": "", "\x00": ""} {
		equal(t, "with "+text, names(store.GrantFilter{Text: text}, 50, true), want)
	}
	kept := store.GrantFilter{Keep: func(v *octopus.PluginVersion) bool { return v.Version >= "1.5" }}
	equal(t, "kept", names(kept, 2, false), "echo 1.5.0, echo 1.6.0, notify 2.0.0")
	for _, bad := range []store.Page{{Cursor: "!"}, {Cursor: "e30"}, {Cursor: "bnVsbA"}, {Cursor: "eyJrIjoieCJ9"}, {Cursor: "eyJrIjoieCB5In0"}} {
		_, _, err := s.GrantedVersions(ctx, store.GrantFilter{}, bad)
		wantCode(t, err, octopus.CodeInvalid)
		_, _, err = s.VersionAgents(ctx, octopus.PluginVersion{}, bad)
		wantCode(t, err, octopus.CodeInvalid)
	}
	plugins, people, err := s.GrantNames(ctx)
	check(t, err)
	equal(t, "names", fmt.Sprint(plugins, people), "[echo notify] [ada bob octopus]")
}

// testVersionAgents: who fetched a version, and who ran it lately.
func testVersionAgents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := version("noop", "1.0.0", Digest)
	check(t, s.PublishVersion(ctx, v, "uploaded", "", nil))
	check(t, s.PublishVersion(ctx, version("noop", "1.1.0", "sha256:other"), "uploaded", "", nil))
	var ids []string
	for _, name := range []string{"fetcher", "runner", "both", "idle"} {
		a, err := Agent(s, name)
		check(t, err)
		ids = append(ids, a.ID)
	}
	fetcher, runner, both := ids[0], ids[1], ids[2]
	for _, id := range []string{both, fetcher, fetcher} {
		check(t, s.NoteFetch(ctx, v.Digest, id))
	}
	check(t, s.NoteFetch(ctx, v.Digest, "agt_gone"))
	check(t, s.NoteFetch(ctx, "sha256:other", runner))
	ran := func(agent, digest string, end octopus.Status) {
		id := one(t, s, func(x *octopus.Execution) { x.Digest = digest })
		step(t, s, id, Offer(agent), Accept, End(end))
	}
	ran(runner, v.Digest, octopus.Failed)
	ran(both, "sha256:other", octopus.Succeeded)
	ran(both, v.Digest, octopus.Succeeded)
	ran(both, v.Digest, octopus.Succeeded)
	step(t, s, one(t, s, func(*octopus.Execution) {}), Offer(ids[3])) // not started

	list := func(v octopus.PluginVersion, limit int) (out []string) {
		t.Helper()
		for _, a := range all(t, limit, true, func(p store.Page) ([]octopus.VersionAgent, string, error) { return s.VersionAgents(ctx, v, p) }) {
			if a.Fetches > 0 == a.FetchedAt.IsZero() || a.Runs > 0 == a.RanAt.IsZero() || a.UsedAt().IsZero() {
				t.Errorf("times of %+v", a)
			}
			out = append(out, fmt.Sprint(a.AgentName, " ", a.Fetches, " ", a.Runs))
		}
		return out
	}
	for _, limit := range []int{1, 2, 50} {
		got := list(v, limit)
		equal(t, "the latest", got[0], "both 1 2")
		slices.Sort(got)
		equal(t, fmt.Sprint("agents, ", limit, " a page"), strings.Join(got, ", "), "both 1 2, fetcher 2 0, runner 0 1")
	}
	v.Digest = "sha256:other"
	got := list(v, 50)
	slices.Sort(got)
	equal(t, "of the other version", strings.Join(got, ", "), "both 0 1, runner 1 0")
}
