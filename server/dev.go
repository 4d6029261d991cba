package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/dispatch"
)

// DevUser is the administrator that "octopus dev" makes.
const DevUser = "dev"

// DevAccess is what "octopus dev" hands to whoever started it.
type DevAccess struct {
	URL       string `json:"url"`
	LoginURL  string `json:"login_url"`
	APIToken  string `json:"api_token"`
	JoinToken string `json:"join_token"`
}

// PrepareDev makes the development server usable at once: an administrator, a login link, an API token, a join
// token and a few example tasks. Tokens are new at each call; tasks are made once, in a new database.
func (s *Server) PrepareDev(ctx context.Context) (DevAccess, error) {
	user, err := s.devUser(ctx)
	if err != nil {
		return DevAccess{}, err
	}
	subject := auth.Subject{UserID: user.ID, Username: user.Username, Role: user.Role, Kind: "local"}
	if err := s.dropDevTokens(ctx, subject); err != nil {
		return DevAccess{}, err
	}
	access := DevAccess{URL: s.url}
	secret, err := s.auth.LoginLink(ctx, user.Username)
	if err != nil {
		return DevAccess{}, fmt.Errorf("login link: %w", err)
	}
	access.LoginURL = s.url + "/login/link/" + secret
	if _, access.APIToken, err = s.auth.CreateToken(ctx, subject, devTokenName, user.Role, 0); err != nil {
		return DevAccess{}, fmt.Errorf("API token: %w", err)
	}
	if _, access.JoinToken, err = s.auth.CreateJoinToken(ctx, subject, devTokenName, nil, 0, 0); err != nil {
		return DevAccess{}, fmt.Errorf("join token: %w", err)
	}
	s.demo.arm(user.Username)
	return access, s.exampleTasks(ctx, user.Username)
}

func (s *Server) devUser(ctx context.Context) (octopus.User, error) {
	user, err := s.store.User(ctx, DevUser)
	if octopus.CodeOf(err) != octopus.CodeNotFound {
		return user, err
	}
	user, _, err = s.auth.Bootstrap(ctx, DevUser) // nobody needs the password: login links sign in
	if err != nil {
		return octopus.User{}, fmt.Errorf("first administrator: %w", err)
	}
	return user, nil
}

// devTokenName marks the tokens of "octopus dev", so that each start replaces those of the one before.
const devTokenName = "octopus dev"

func (s *Server) dropDevTokens(ctx context.Context, subject auth.Subject) error {
	tokens, err := s.auth.MyTokens(ctx, subject)
	if err != nil {
		return fmt.Errorf("API tokens: %w", err)
	}
	for _, t := range tokens {
		if t.Name != devTokenName || !t.RevokedAt.IsZero() {
			continue
		}
		if err := s.auth.RevokeToken(ctx, subject, t.ID); err != nil {
			return fmt.Errorf("old API token: %w", err)
		}
	}
	joins, err := s.store.JoinTokens(ctx)
	if err != nil {
		return fmt.Errorf("join tokens: %w", err)
	}
	for _, t := range joins {
		if t.Name != devTokenName || t.CreatedBy != subject.Username {
			continue
		}
		if err := s.store.RemoveJoinToken(ctx, t.ID); err != nil {
			return fmt.Errorf("old join token: %w", err)
		}
	}
	return nil
}

// exampleTasks gives a new database something to run.
func (s *Server) exampleTasks(ctx context.Context, owner string) error {
	const done = "dev.examples"
	if _, err := s.store.Meta(ctx, done); octopus.CodeOf(err) != octopus.CodeNotFound {
		return err // made before
	}
	now := time.Now()
	for _, t := range s.examples() {
		t.ID, t.Owner, t.CreatedBy, t.UpdatedBy = octopus.NewID(octopus.PrefixTask, now), owner, owner, owner
		t.Type, t.Enabled = octopus.TaskAdhoc, true
		if _, err := s.catalog.Resolve(ctx, t.Plugin, ""); err != nil {
			continue // built without plugins
		}
		if _, _, err := s.store.CreateTask(ctx, t, nil); err != nil && octopus.CodeOf(err) != octopus.CodeConflict {
			return fmt.Errorf("example task %s: %w", t.Name, err)
		}
	}
	return s.store.SetMeta(ctx, done, now.UTC().Format(time.RFC3339))
}

func (s *Server) examples() []octopus.Task {
	params := func(v map[string]any) json.RawMessage {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers always marshal
		}
		return raw
	}
	return []octopus.Task{
		{Name: "check-this-server", Description: "Is Octopus itself answering?", Folder: "examples",
			Work: octopus.Work{Plugin: "http-check", Action: "check", Params: params(map[string]any{"url": s.url + "/healthz"})}},
		{Name: "disk-usage-everywhere", Description: "How full are the disks of every agent?", Folder: "examples",
			Work: octopus.Work{Plugin: "disk-usage", Action: "check", Target: octopus.Target{Mode: octopus.TargetAll}}},
		{Name: "what-is-this-machine", Description: "System facts of any one agent.", Folder: "examples",
			Work: octopus.Work{Plugin: "system-info", Action: "collect"}},
		{Name: "slow-echo", Description: "Counts for ten seconds: watch it live, or cancel it.", Folder: "examples",
			Work: octopus.Work{Plugin: "echo", Action: "echo", Params: params(map[string]any{"message": "Hello from the sandbox", "delay_seconds": 10, "log_lines": 20})}},
	}
}

// demo starts one run over the first browser that looks, so that something moves at once.
type demo struct {
	mu    sync.Mutex
	owner string // guarded by mu; "" when not armed
}

func (d *demo) arm(owner string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owner = owner
}

// take returns the owner once.
func (d *demo) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	owner := d.owner
	d.owner = ""
	return owner
}

// demoParams makes echo talk for 20 seconds.
const demoParams = `{"message":"This is Octopus: a plugin in a sandbox, on an agent, live.","delay_seconds":20,"log_lines":40}`

// firstBrowser is called by the dashboard when a browser opens its live stream.
func (s *Server) firstBrowser(string) {
	owner := s.demo.take()
	if owner == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _, err := s.dispatch.Submit(ctx, dispatch.Submission{
		Work:   octopus.Work{Plugin: "echo", Action: "echo", Params: json.RawMessage(demoParams)},
		Labels: map[string]string{"demo": "true"}, By: owner, Source: "demo",
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.cfg.Log.Warn("the demo run did not start", "error", err)
	}
}
