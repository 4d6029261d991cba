package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/cache"
	"octopus/server/store"
	"octopus/views"
)

// How much the first page shows.
const (
	homeFeed  = 15
	homeTiles = 60
)

func (s *Web) home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	m := views.Home{Page: s.frame(w, r, "home", "", topicFeed, topicTiles, topicOverview)}
	m.Crumbs = crumbs("Home")
	m.CLI = "octopus executions list"
	var err error
	if m.Choices, err = s.pick(ctx, "", ""); err != nil {
		return err
	}
	if m.Feed, _, err = s.cfg.Store.Executions(ctx, store.ExecutionFilter{}, store.Page{Limit: homeFeed, Descending: true}); err != nil {
		return err
	}
	agents, _, err := s.cfg.Store.Agents(ctx, store.AgentFilter{}, store.Page{Limit: homeTiles})
	if err != nil {
		return err
	}
	m.Agents = len(agents)
	if m.Tiles, err = s.tiles(ctx, agents); err != nil {
		return err
	}
	if m.Overview, err = s.overview(ctx); err != nil {
		return err
	}
	if m.Steps, err = s.steps(ctx); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.HomePage(m))
}

// overview is the last 24 hours, from the roll-up tables, kept for a moment for all who look.
func (s *Web) overview(ctx context.Context) (views.Overview, error) {
	o, err := cache.Load(s.cfg.Cache, cache.Overview, "web", func() (store.Overview, error) {
		return s.cfg.Store.Overview(ctx)
	})
	if err != nil {
		return views.Overview{}, err
	}
	m := views.Overview{Running: o.Running, Queued: o.Queued, Succeeded: o.ByStatus24h[octopus.Succeeded]}
	m.Failed = bad(o.ByStatus24h)
	m.Hours = hours(o.PerHour, s.now())
	return m, nil
}

// bad counts what ended other than well or by a person's wish.
func bad(c octopus.Counts) int {
	return c[octopus.Failed] + c[octopus.TimedOut] + c[octopus.Lost] + c[octopus.Rejected] + c[octopus.Expired]
}

// hours fills the hours in which nothing ended.
func hours(counted []store.HourCount, now time.Time) []views.Hour {
	by := make(map[time.Time]octopus.Counts)
	for _, h := range counted {
		by[h.Hour.UTC().Truncate(time.Hour)] = h.Counts
	}
	out := make([]views.Hour, 24)
	for i := range out {
		hour := now.UTC().Truncate(time.Hour).Add(time.Duration(i-23) * time.Hour)
		c := by[hour]
		out[i] = views.Hour{Good: c[octopus.Succeeded], Bad: bad(c)}
		out[i].Label = fmt.Sprintf("%s UTC: %d succeeded, %d failed", hour.Format("15:04"), out[i].Good, out[i].Bad)
	}
	return out
}

// stepsDone is the name under which the store remembers that the strip for newcomers has done its work.
const stepsDone = "web.steps.done"

// steps is the strip for newcomers: what they have seen and what is left; none once all is done.
func (s *Web) steps(ctx context.Context) ([]views.Step, error) {
	return cache.Load(s.cfg.Cache, cache.Overview, "steps", func() ([]views.Step, error) {
		if done, err := s.cfg.Store.Meta(ctx, stepsDone); err == nil && done != "" {
			return nil, nil
		}
		list, err := s.lookAtSteps(ctx)
		if err != nil {
			return nil, err
		}
		for _, step := range list {
			if !step.Done {
				return list, nil
			}
		}
		return nil, s.cfg.Store.SetMeta(ctx, stepsDone, s.now().UTC().Format(time.RFC3339))
	})
}

func (s *Web) lookAtSteps(ctx context.Context) ([]views.Step, error) {
	ended, _, err := s.cfg.Store.Executions(ctx, store.ExecutionFilter{Statuses: []octopus.Status{octopus.Succeeded}}, store.Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	runs, _, err := s.cfg.Store.Runs(ctx, store.RunFilter{}, store.Page{Limit: 100})
	if err != nil {
		return nil, err
	}
	own := false
	for _, run := range runs {
		own = own || run.Source != "demo"
	}
	agents, _, err := s.cfg.Store.Agents(ctx, store.AgentFilter{}, store.Page{Limit: 2})
	if err != nil {
		return nil, err
	}
	plugins, err := s.cfg.Store.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	wrote := false
	for _, p := range plugins {
		wrote = wrote || !strings.HasPrefix(p.Source, "builtin")
	}
	return []views.Step{
		{Done: len(ended) > 0, Label: "See a run", Href: "/executions", About: "Status, log and result, live"},
		{Done: own, Label: "Run your own", Href: "/run?plugin=http-check", About: "Pick a plugin, fill its form"},
		{Done: len(agents) > 1, Label: "Add a machine", Href: "/agents/new", About: "One line to paste"},
		{Done: wrote, Label: "Write a plugin", Href: "/plugins", About: "octopus plugins new hello --lang go"},
	}, nil
}
