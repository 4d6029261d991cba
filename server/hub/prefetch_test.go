package hub_test

import (
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// TestPrefetchByTarget: agents have ready what tasks name that run on them, what ran last first, and what no task names.
func TestPrefetchByTarget(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	for _, name := range []string{"for-db", "for-one", "for-none"} {
		s.publish(manifest(name))
	}
	task := func(plugin string, to octopus.Target) {
		t.Helper()
		_, _, err := s.store.CreateTask(t.Context(), octopus.Task{ID: octopus.NewID(octopus.PrefixTask, time.Now()), Name: "task of " + plugin, Type: octopus.TaskAdhoc, Enabled: plugin != "for-none", Owner: "ada",
			Work: octopus.Work{Plugin: plugin, Action: "once", Target: to}}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	task("for-one", octopus.Target{Mode: octopus.TargetAgent, Agent: "web-01"})
	task("for-none", octopus.Target{Mode: octopus.TargetAny})
	task("for-db", octopus.Target{Mode: octopus.TargetAll, Selector: "role=db"})
	web, db := s.enrol("web-01"), s.enrol("db-01")
	db.labels = map[string]string{"role": "db"}
	first, _ := web.connect()
	second, _ := db.connect()
	wants := func(l *link, plugins ...string) { // in the end: tasks are looked at now and then
		t.Helper()
		var got []string
		for deadline := time.After(time.Minute); !slices.Equal(got, plugins); {
			select {
			case m := <-l.got:
				if p, ok := m.(*wire.Prefetch); ok {
					got = prefetched(p)
				}
			case <-deadline:
				t.Fatalf("prefetches %v, want %v", got, plugins)
			}
		}
	}
	wants(first, "for-one", "for-none", "probe") // a disabled task is as good as none
	wants(second, "for-db", "for-none", "probe")
	task("probe", octopus.Target{Mode: octopus.TargetAny, Selector: "role=db"})
	wants(second, "probe", "for-db", "for-none")
	wants(first, "for-one", "for-none")
}

func prefetched(p *wire.Prefetch) (plugins []string) {
	for _, m := range p.Modules {
		plugins = append(plugins, m.Plugin)
	}
	return plugins
}
