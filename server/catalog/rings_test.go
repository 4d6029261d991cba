package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// rig is a catalogue with three versions of one plugin, all in the ring all.
func rig(t *testing.T) (*catalog.Catalog, *store.Store) {
	t.Helper()
	c, s := open(t)
	for _, number := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		upload(t, c, pack(t, "hello", number, `{}`, ""))
	}
	return c, s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runIn is a run at a point inside a ring and in none that is narrower.
func runIn(ring octopus.Ring) string {
	for i := 0; ; i++ {
		id := fmt.Sprintf("run_%026d", i)
		if p := octopus.RingPoint(id); p >= ring.Point() && p < ring.Share() {
			return id
		}
	}
}

// gets is what runs in canary, early and all get, and whether they are compared.
func gets(t *testing.T, c *catalog.Catalog, wish string) string {
	t.Helper()
	var out []string
	for _, ring := range octopus.Rings {
		v, onTrial, err := c.Choose(t.Context(), "hello", wish, runIn(ring))
		must(t, err)
		out = append(out, v.Version+map[bool]string{true: "*"}[onTrial])
	}
	return strings.Join(out, " ")
}

func TestRingsChoose(t *testing.T) {
	t.Parallel()
	c, _ := rig(t)
	for _, step := range []struct {
		version string
		ring    octopus.Ring
		want    map[string]string
	}{
		{"1.2.0", octopus.RingAll, map[string]string{"": "1.2.0 1.2.0 1.2.0", "~1.1": "1.1.0 1.1.0 1.1.0"}},
		{"1.2.0", octopus.RingCanary, map[string]string{
			"": "1.2.0* 1.1.0* 1.1.0*", "latest": "1.2.0* 1.1.0* 1.1.0*", "^1.1": "1.2.0* 1.1.0* 1.1.0*", "1.2.0": "1.2.0 1.2.0 1.2.0", "1.0.0": "1.0.0 1.0.0 1.0.0",
			"canary": "1.2.0* 1.2.0* 1.2.0*", "early": "1.1.0* 1.1.0* 1.1.0*", "all": "1.1.0* 1.1.0* 1.1.0*",
			"~1.2": "1.2.0* 1.2.0* 1.2.0*", // nothing else fits
		}},
		{"1.1.0", octopus.RingEarly, map[string]string{"": "1.2.0* 1.1.0* 1.0.0*", "canary": "1.2.0* 1.2.0* 1.2.0*", "early": "1.1.0* 1.1.0* 1.1.0*", "all": "1.0.0* 1.0.0* 1.0.0*"}},
		{"1.2.0", octopus.RingEarly, map[string]string{"": "1.2.0* 1.2.0* 1.0.0*"}},
	} {
		must(t, c.SetRing(t.Context(), "hello", step.version, step.ring, "ada"))
		for wish, want := range step.want {
			if got := gets(t, c, wish); got != want {
				t.Errorf("%s in %s: %q gets %s, want %s", step.version, step.ring, wish, got, want)
			}
		}
	}
	shares, err := c.Shares(t.Context(), "hello", "")
	if err != nil || len(shares) != 2 || shares[0].Version.Version != "1.0.0" || shares[0].Percent != 75 || shares[1].Percent != 25 {
		t.Errorf("shares %+v, %v", shares, err)
	}
}

// A version that lacks its grant is not chosen while another can run.
func TestRingsNeedGrants(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	upload(t, c, pack(t, "hello", "1.0.0", `{}`, ""))
	v := upload(t, c, pack(t, "hello", "1.1.0", httpAnywhere, ""))
	if got := gets(t, c, ""); got != "1.0.0 1.0.0 1.0.0" {
		t.Errorf("without its grant: %s", got)
	}
	if got := gets(t, c, "^1.1"); got != "1.1.0 1.1.0 1.1.0" { // what is refused then says which grant it needs
		t.Errorf("where nothing else fits: %s", got)
	}
	must(t, c.GrantAll(t.Context(), v.Digest, "ada"))
	if got := gets(t, c, ""); got != "1.1.0 1.1.0 1.1.0" {
		t.Errorf("with its grant: %s", got)
	}
}

func TestRollBack(t *testing.T) {
	t.Parallel()
	c, s := rig(t)
	now, above, err := c.RollBack(t.Context(), "hello", "", "ada")
	must(t, err)
	if now.Version != "1.1.0" || fmt.Sprint(above) != "[1.2.0]" || gets(t, c, "") != "1.1.0 1.1.0 1.1.0" || gets(t, c, "1.2.0") != "1.2.0 1.2.0 1.2.0" {
		t.Errorf("now %s, above %v, runs get %s", now.Version, above, gets(t, c, ""))
	}
	v, err := s.Version(t.Context(), "hello", "1.2.0")
	if err != nil || !v.Held || v.RingNote != "Rolled back to 1.1.0 by ada." || v.Status != octopus.VersionPublished {
		t.Errorf("above: %+v, %v", v, err)
	}
	if _, err := c.Resolve(t.Context(), "hello", "~1.2"); octopus.CodeOf(err) != octopus.CodeConflict || !strings.Contains(err.Error(), "octopus plugins resume hello 1.2.0") {
		t.Errorf("only the held one fits: %v", err)
	}
	must(t, c.Resume(t.Context(), "hello", "1.2.0", "ada"))
	if got := gets(t, c, ""); got != "1.2.0 1.2.0 1.2.0" {
		t.Errorf("undone: %s", got)
	}
	// Two steps at once, to one that was held itself, which runs again then.
	must(t, c.Hold(t.Context(), "hello", "1.0.0", "", "ada"))
	if _, above, err = c.RollBack(t.Context(), "hello", "1.0.0", "ada"); err != nil || fmt.Sprint(above) != "[1.2.0 1.1.0]" || gets(t, c, "") != "1.0.0 1.0.0 1.0.0" {
		t.Errorf("two steps: %v, %v", above, err)
	}
	if _, _, err := c.RollBack(t.Context(), "hello", "", "ada"); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("below the first: %v", err)
	}
	for _, to := range []string{"1.2.0", "9.9.9"} {
		if _, _, err := c.RollBack(t.Context(), "hello", to, "ada"); err == nil {
			t.Errorf("rolled back to %s", to)
		}
	}
}

func TestRingRefusals(t *testing.T) {
	t.Parallel()
	c, _ := rig(t)
	upload(t, c, pack(t, "hello", "2.0.0-dev.1", `{}`, ""))
	must(t, c.SetStatus(t.Context(), "hello", "1.0.0", octopus.VersionRevoked, "ada"))
	for _, r := range []struct {
		name, version string
		ring          octopus.Ring
		code          octopus.Code
	}{
		{"hello", "1.1.0", "beta", octopus.CodeInvalid}, {"hello", "7.0.0", octopus.RingAll, octopus.CodeNotFound},
		{"helo", "1.1.0", octopus.RingAll, octopus.CodeNotFound}, {"hello", "2.0.0-dev.1", octopus.RingCanary, octopus.CodeConflict},
		{"hello", "1.0.0", octopus.RingCanary, octopus.CodeConflict},
	} {
		if err := c.SetRing(t.Context(), r.name, r.version, r.ring, "ada"); octopus.CodeOf(err) != r.code {
			t.Errorf("%s %s → %s: %v", r.name, r.version, r.ring, err)
		}
	}
}

// count lets executions of a version end, as runs that follow the plugin do.
func count(t *testing.T, s *store.Store, v octopus.PluginVersion, succeed, fail int) {
	t.Helper()
	for i := range succeed + fail {
		made := storetest.NewRun(s, 1, func(_ int, x *octopus.Execution) {
			x.Plugin, x.PluginVersion, x.Digest, x.OnTrial = v.Plugin, v.Version, v.Digest, true
			storetest.Offered(x, "agt_1")
		})
		if _, _, err := s.CreateRun(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		status := octopus.Succeeded
		if i >= succeed {
			status = octopus.Failed
		}
		for _, step := range []store.StepFunc{storetest.Accept, storetest.End(status)} {
			if _, err := s.Step(t.Context(), made.Executions[0].ID, step); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	c, s := rig(t)
	before, err := c.Resolve(t.Context(), "hello", "1.1.0")
	must(t, err)
	v, err := c.Resolve(t.Context(), "hello", "1.2.0")
	must(t, err)
	must(t, c.SetRing(t.Context(), "hello", "1.2.0", octopus.RingCanary, "ada"))
	judged := func(want string) {
		t.Helper()
		must(t, c.Judge(t.Context(), ""))
		got, err := s.Version(t.Context(), "hello", "1.2.0")
		must(t, err)
		if got.RingNote != want || got.Held != (want != "") {
			t.Fatalf("held %v: %q, want %q", got.Held, got.RingNote, want)
		}
	}
	count(t, s, before, 30, 0)
	count(t, s, v, 12, 7)
	judged("") // not enough yet
	count(t, s, v, 1, 0)
	const why = "7 of 20 executions failed (35 %), against 0 of 30 (0 %) with 1.1.0."
	judged(why)
	if got := gets(t, c, ""); got != "1.1.0 1.1.0 1.1.0" {
		t.Errorf("runs get %s", got)
	}
	events, _, err := s.PluginEvents(t.Context(), "hello", store.Page{Descending: true, Limit: 1})
	if err != nil || len(events) != 1 || events[0].Kind != octopus.PluginRingMoved || events[0].Actor != catalog.System || events[0].Message != "held: "+why {
		t.Errorf("history %+v, %v", events, err)
	}
	must(t, c.Resume(t.Context(), "hello", "1.2.0", "ada"))
	judged("") // it is counted anew
	count(t, s, v, 0, 25)
	judged("") // and so is the one before, in a ring that has both
	must(t, c.SetRing(t.Context(), "hello", "1.2.0", octopus.RingEarly, "ada"))
	count(t, s, before, 30, 0)
	count(t, s, v, 20, 0)
	judged("")
	must(t, c.SetRing(t.Context(), "hello", "1.2.0", octopus.RingAll, "ada"))
	if got := gets(t, c, ""); got != "1.2.0* 1.2.0* 1.2.0*" {
		t.Errorf("promoted: %s", got)
	}
	count(t, s, v, 0, 20)
	judged("20 of 20 executions failed (100 %), against 0 of 30 (0 %) with 1.1.0.")
}

// What goes to all runs at once, as ever, is compared with nothing, and costs nothing.
func TestStraightToAll(t *testing.T) {
	t.Parallel()
	c, s := rig(t)
	if got := gets(t, c, ""); got != "1.2.0 1.2.0 1.2.0" {
		t.Errorf("runs get %s", got)
	}
	must(t, c.Judge(t.Context(), "hello"))
	if outcomes, err := s.Outcomes(t.Context(), "hello"); err != nil || len(outcomes) != 0 {
		t.Errorf("outcomes %v, %v", outcomes, err)
	}
}

// A server may publish into a narrower ring by itself. The first version of a plugin is there for all runs all the
// same: there is nothing to choose between.
func TestPublishIntoRing(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	c := catalog.New(catalog.Config{Store: s, Cache: cache.New(nil, nil), Ring: octopus.RingCanary, Now: time.Now})
	upload(t, c, pack(t, "hello", "1.0.0", `{}`, ""))
	if got := gets(t, c, ""); got != "1.0.0 1.0.0 1.0.0" {
		t.Errorf("the first: %s", got)
	}
	upload(t, c, pack(t, "hello", "1.1.0", `{}`, ""))
	if got := gets(t, c, ""); got != "1.1.0* 1.0.0* 1.0.0*" {
		t.Errorf("the second: %s", got)
	}
	v, err := c.UploadInto(t.Context(), pack(t, "hello", "1.2.0", `{}`, ""), octopus.RingAll, "ada")
	if err != nil || v.Ring != octopus.RingAll {
		t.Errorf("where the uploader says so: %+v, %v", v.Ring, err)
	}
	if _, err := c.UploadInto(context.Background(), pack(t, "hello", "1.3.0", `{}`, ""), "beta", "ada"); octopus.CodeOf(err) != octopus.CodeInvalid {
		t.Errorf("a ring that does not exist: %v", err)
	}
}

// What one server decides the others go by, although they remember what they read.
func TestRingsReachOtherServers(t *testing.T) {
	t.Parallel()
	b := bus.NewLocal()
	defer b.Close()
	s := storetest.Open(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var servers [2]*catalog.Catalog
	for i := range servers {
		regions := cache.New(b, nil)
		running.Go(func() { _ = regions.Run(ctx) })
		servers[i] = catalog.New(catalog.Config{Store: s, Cache: regions})
	}
	upload(t, servers[0], pack(t, "hello", "1.0.0", `{}`, ""))
	upload(t, servers[0], pack(t, "hello", "1.1.0", `{}`, ""))
	eventually := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			v, _, err := servers[1].Choose(t.Context(), "hello", "", runIn(octopus.RingAll))
			if err == nil && v.Version == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the other server still has %s, %v", v.Version, err)
			}
		}
	}
	eventually("1.1.0")
	_, _, err := servers[0].RollBack(t.Context(), "hello", "", "ada")
	must(t, err)
	eventually("1.0.0")
	must(t, servers[0].Resume(t.Context(), "hello", "1.1.0", "ada"))
	eventually("1.1.0")
}
