package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/store"
)

// How many modules an agent is told to have ready. Compiling one takes it seconds, so that of built-in plugins which
// nobody has used yet, and no task names, it gets only some.
const (
	maxPrefetch = 20
	maxUnused   = 6
)

// triedFirst are the built-in plugins that a newcomer tries, as octopus dev and the documentation name them: of those that
// nobody used yet they come first.
var triedFirst = []string{"http-check", "echo", "noop", "system-info", "disk-usage", "dns-lookup"}

// maxPrefetchTasks bounds the tasks that are looked at. Where there are more, every agent gets what any task names.
const maxPrefetchTasks = 500

// prefetchEvery is how often changed tasks are looked at: each run of one counts as a change.
const prefetchEvery = 5 * time.Second

// wanted is a module that agents may need soon.
type wanted struct {
	module wire.Module
	// targets are those of the tasks that name it, nil where it is for every agent.
	targets []target
}

// target is whom a task runs on.
type target struct {
	agent    string // name or id
	selector octopus.Selector
}

func (t target) matches(s *Session) bool {
	if t.agent != "" {
		return t.agent == s.name || t.agent == s.agentID
	}
	return t.selector.Match(s.labels)
}

// prefetch names the modules that the agent may need soon.
func (d *Dispatcher) prefetch(ctx context.Context, s *Session) {
	if list, err := d.modules(ctx); err == nil {
		d.sendPrefetch(s, list)
	}
}

// sendPrefetch sends what tasks name that run on this agent, and what no task names.
func (d *Dispatcher) sendPrefetch(s *Session, list []wanted) {
	var modules []wire.Module
	d.mu.Lock() // of the session's name and labels
	for _, w := range list {
		if len(modules) < maxPrefetch && (w.targets == nil || slices.ContainsFunc(w.targets, func(t target) bool { return t.matches(s) })) {
			modules = append(modules, w.module)
		}
	}
	d.mu.Unlock()
	if len(modules) > 0 {
		s.send(&wire.Prefetch{Modules: modules})
	}
}

// modules are those that are published, enabled and granted: what tasks name first, of those what ran last; then the
// most used.
func (d *Dispatcher) modules(ctx context.Context) ([]wanted, error) {
	if m, ok := d.offers.prefetchList(); ok {
		return m, nil
	}
	epoch := d.offers.now()
	plugins, err := d.store.Plugins(ctx)
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	list, named, err := d.wantedByTasks(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(plugins, func(a, b octopus.Plugin) int {
		return cmp.Or(cmp.Compare(min(b.Tasks, 1), min(a.Tasks, 1)), cmp.Compare(b.Runs, a.Runs), cmp.Compare(tried(a), tried(b)))
	})
	common, unused := 0, 0
	for _, p := range plugins {
		idle := p.Source == octopus.SourceBuiltin && p.Tasks == 0 && p.Runs == 0
		if named[p.Name] || common >= maxPrefetch || idle && unused >= maxUnused || !p.Enabled || len(p.Versions) == 0 {
			continue
		}
		m, ok := d.ready(ctx, p.Versions[0], false)
		if !ok {
			continue
		}
		if common++; idle {
			unused++
		}
		list = append(list, wanted{module: m})
	}
	d.offers.keepPrefetch(epoch, list)
	return list, nil
}

// tried is a plugin's place in triedFirst, or behind all of them.
func tried(p octopus.Plugin) int {
	if i := slices.Index(triedFirst, p.Name); i >= 0 && p.Source == octopus.SourceBuiltin {
		return i
	}
	return len(triedFirst)
}

// ready describes the module of a version that may run.
func (d *Dispatcher) ready(ctx context.Context, v octopus.PluginVersion, fuel bool) (wire.Module, bool) {
	if v.Status != octopus.VersionPublished || len(d.cfg.Catalog.MissingGrants(ctx, v)) > 0 {
		return wire.Module{}, false
	}
	m, err := d.cfg.Catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return wire.Module{}, false
	}
	return wire.Module{Plugin: v.Plugin, Version: v.Version, Digest: v.Digest, Size: v.Size,
		Memory: orElse(uint64(m.Limits.Memory), defaultMemory), Fuel: fuel || m.Limits.Fuel > 0}, true
}

// wantedByTasks are the modules of enabled tasks, that of the task that ran last first, each with whom its tasks run
// on; named are the plugins of them. Where there are too many tasks to look at it says nothing.
func (d *Dispatcher) wantedByTasks(ctx context.Context) (list []wanted, named map[string]bool, err error) {
	enabled := true
	tasks, more, err := d.store.Tasks(ctx, store.TaskFilter{Enabled: &enabled}, store.Page{Limit: maxPrefetchTasks})
	if err != nil {
		return nil, nil, fmt.Errorf("tasks: %w", err)
	}
	if more != "" {
		return nil, nil, nil
	}
	slices.SortStableFunc(tasks, func(a, b octopus.Task) int { return lastRan(b).Compare(lastRan(a)) })
	named = map[string]bool{}
	at := map[wire.Module]int{}
	for _, t := range tasks {
		named[t.Plugin] = true
		v, _, err := d.cfg.Catalog.Choose(ctx, t.Plugin, t.Version, t.ID)
		if err != nil {
			continue // what may not run is nobody's need
		}
		selector, err := octopus.ParseSelector(t.Target.Selector)
		m, ok := d.ready(ctx, v, t.Fuel > 0)
		if err != nil || !ok {
			continue
		}
		i, seen := at[m]
		if !seen {
			i = len(list)
			at[m] = i
			list = append(list, wanted{module: m})
		}
		to := target{selector: selector}
		if t.Target.Mode == octopus.TargetAgent {
			to.agent = t.Target.Agent
		}
		list[i].targets = append(list[i].targets, to)
	}
	return list, named, nil
}

// lastRan is when a task ran, or else when it was changed: a new one will run.
func lastRan(t octopus.Task) time.Time {
	if t.LastRun != nil && t.LastRun.CreatedAt.After(t.UpdatedAt) {
		return t.LastRun.CreatedAt
	}
	return t.UpdatedAt
}

func (d *Dispatcher) prefetchAll(ctx context.Context) {
	list, err := d.modules(ctx)
	if err != nil {
		return
	}
	for _, s := range d.connected() {
		d.sendPrefetch(s, list)
	}
}

// tasksChanged tells agents of modules that tasks name since they were changed.
func (d *Dispatcher) tasksChanged(ctx context.Context) {
	before := d.offers.forgetPrefetch()
	if before == nil {
		return // nobody was told any
	}
	if list, err := d.modules(ctx); err == nil && !sameModules(before, list) {
		d.prefetchAll(ctx)
	}
}

// sameModules ignores the order: what agents have ready they need not be told again.
func sameModules(a, b []wanted) bool {
	set := func(list []wanted) map[wire.Module][]target {
		all := map[wire.Module][]target{}
		for _, w := range list {
			all[w.module] = slices.Clone(w.targets)
			slices.SortFunc(all[w.module], func(a, b target) int {
				return cmp.Or(cmp.Compare(a.agent, b.agent), cmp.Compare(a.selector.String(), b.selector.String()))
			})
		}
		return all
	}
	return reflect.DeepEqual(set(a), set(b))
}
