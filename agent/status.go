package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Report is what an agent on this machine says of itself.
type Report struct {
	Running   bool      `json:"running"`
	PID       int       `json:"pid,omitempty"`
	Agent     string    `json:"agent,omitempty"`
	Name      string    `json:"name,omitempty"`
	Server    string    `json:"server,omitempty"`
	Version   string    `json:"version,omitempty"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"`       // of the connection, or of its end
	LastError string    `json:"last_error,omitempty"` // why it is not connected
	// Transport is how it is, or was last, connected; TransportReason why not by a WebSocket.
	Transport       octopus.Transport `json:"transport,omitempty"`
	TransportReason string            `json:"transport_reason,omitempty"`

	Slots          int       `json:"slots,omitempty"`
	Free           int       `json:"free"`
	Sandbox        string    `json:"sandbox,omitempty"` // level reached
	SandboxHas     []string  `json:"sandbox_has,omitempty"`
	SandboxMissing []string  `json:"sandbox_missing,omitempty"`
	SandboxWithout []string  `json:"sandbox_without,omitempty"` // that this machine does not allow, and the level does not need
	PolicyFile     string    `json:"policy_file,omitempty"`
	Policy         string    `json:"policy,omitempty"`   // text of the policy in force, "" without one
	Commands       []string  `json:"commands,omitempty"` // that plugins may run outside the sandbox
	Scripts        bool      `json:"allow_scripts,omitempty"`
	Executions     []Current `json:"executions,omitempty"`
	PendingSend    int       `json:"pending_results,omitempty"` // results that the server does not have yet
	// Prepared is how many modules it fetched and compiled ahead since it started, Preparing how many of those that the
	// server named are still to be looked at.
	Prepared  int       `json:"prepared,omitempty"`
	Preparing int       `json:"preparing,omitempty"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Current is an execution that the agent holds.
type Current struct {
	Execution string    `json:"execution"`
	Plugin    string    `json:"plugin"`
	Action    string    `json:"action"`
	Task      string    `json:"task,omitempty"`
	Phase     string    `json:"phase"` // accepted or started
	Since     time.Time `json:"since"`
}

// Status reads what the agent of a data folder says of itself, whether it runs or not. The error is for people.
func Status(dataDir string) (Report, error) {
	if dataDir == "" {
		dataDir = DefaultData()
	}
	if _, err := os.Stat(dataDir); err != nil {
		return Report{}, octopus.Errorf(octopus.CodeNotFound, "There is no agent in %s. Name its folder with --data.", dataDir)
	}
	raw, err := os.ReadFile(filepath.Join(dataDir, fileStatus))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Report{}, octopus.Errorf(octopus.CodeDenied, "The agent's status in %s cannot be read: %v.", dataDir, bare(err))
	}
	var r Report
	_ = json.Unmarshal(raw, &r) // damaged or absent: an empty report
	if r.Running = locked(dataDir); r.Running {
		return r, nil
	}
	r.PID, r.Executions, r.Free, r.Preparing = 0, nil, 0, 0
	if r.Connected {
		r.Connected, r.LastError = false, "the agent is not running"
	}
	var id identity
	if raw, err := os.ReadFile(filepath.Join(dataDir, fileIdentity)); err == nil && json.Unmarshal(raw, &id) == nil {
		r.Agent, r.Name, r.Server = id.Agent, cmp.Or(r.Name, id.Name), id.Server
	}
	return r, nil
}

// locked says whether an agent holds the folder.
func locked(dataDir string) bool {
	lock := flock.New(filepath.Join(dataDir, fileLock))
	ok, err := lock.TryLock()
	if ok {
		lock.Unlock()
	}
	return err == nil && !ok
}

// statusEvery bounds how often the file is written.
const statusEvery = 500 * time.Millisecond

// statusFile keeps status.json current: it is written on change, at most twice a second.
type statusFile struct {
	agent *Agent
	wake  chan struct{}

	nextLook time.Duration // owned by the loop

	mu        sync.Mutex // guards what follows
	report    Report
	idle      bool
	idleWaits []chan struct{}
}

func newStatusFile(a *Agent) *statusFile {
	return &statusFile{agent: a, wake: make(chan struct{}, 1), idle: true, report: Report{
		Running: true, PID: os.Getpid(), Version: a.config.Version, Slots: a.config.Slots, Free: a.config.Slots,
		PolicyFile: a.config.Policy, Policy: a.policy.String(), LastError: "not connected yet", Since: time.Now().UTC(),
		Commands: a.policy.Commands(), Scripts: a.config.AllowScripts,
	}}
}

func (s *statusFile) touch() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *statusFile) online(name string, c *opened) {
	s.mu.Lock()
	s.report.Transport, s.report.TransportReason = c.via, c.because
	s.report.Connected, s.report.Name, s.report.LastError, s.report.Since = true, name, "", time.Now().UTC()
	s.mu.Unlock()
	s.touch()
}

func (s *statusFile) offline(reason string) {
	s.mu.Lock()
	if s.report.Connected {
		s.report.Since = time.Now().UTC()
	}
	s.report.Connected, s.report.LastError = false, reason
	s.mu.Unlock()
	s.touch()
}

// prepare notes that so many more modules are to be prepared, fewer where it is negative.
func (s *statusFile) prepare(more int) {
	s.mu.Lock()
	s.report.Preparing += more
	s.mu.Unlock()
	s.touch()
}

// prepared notes what became of one of them.
func (s *statusFile) prepared(ok bool) {
	s.mu.Lock()
	s.report.Preparing--
	if ok {
		s.report.Prepared++
	}
	s.mu.Unlock()
	s.touch()
}

// changed notes what the core holds, at most every 250 ms. The loop calls it after each step; true means that it
// wants to be called again soon.
func (s *statusFile) changed(now time.Duration) (again bool) {
	if now < s.nextLook {
		return true
	}
	s.nextLook = now + 250*time.Millisecond
	c := s.agent.core
	held, free := c.Held(), c.Free()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Free = free
	s.report.Executions = s.report.Executions[:0]
	s.report.PendingSend = 0
	for _, h := range c.Holdings() {
		if h.Phase == wire.PhaseDone {
			s.report.PendingSend++
			continue
		}
		s.report.Executions = append(s.report.Executions, Current{
			Execution: h.Key.Execution, Plugin: h.Offer.Plugin, Action: h.Offer.Action, Task: h.Offer.TaskName,
			Phase: string(h.Phase), Since: s.agent.held[h.Key].since.UTC(),
		})
	}
	if s.idle = held == 0; s.idle {
		for _, w := range s.idleWaits {
			close(w)
		}
		s.idleWaits = nil
	}
	s.touch()
	return false
}

// isIdle says whether nothing runs.
func (s *statusFile) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

// untilIdle waits until nothing runs. It is false when ctx ended first.
func (s *statusFile) untilIdle(ctx context.Context) bool {
	s.mu.Lock()
	wait := make(chan struct{})
	if s.idle {
		close(wait)
	} else {
		s.idleWaits = append(s.idleWaits, wait)
	}
	s.mu.Unlock()
	select {
	case <-wait:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// run writes the file. It is a goroutine of Agent.Run.
func (s *statusFile) run(ctx context.Context) {
	s.touch()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.report.Running, s.report.Connected, s.report.LastError = false, false, "the agent is not running"
			s.mu.Unlock()
			s.save()
			return
		case <-s.wake:
		}
		s.save()
		select {
		case <-ctx.Done():
		case <-time.After(statusEvery):
		}
	}
}

// save writes the file without waiting for the disk: it is rebuilt by the next start.
func (s *statusFile) save() {
	a := s.agent
	s.mu.Lock()
	r := s.report
	r.Executions = slices.Clone(r.Executions)
	s.mu.Unlock()
	r.Agent, r.Server, r.UpdatedAt = a.id.Agent, a.client.Server(), time.Now().UTC()
	if r.Name == "" {
		r.Name = a.id.Name
	}
	level := a.pool.Level()
	r.Sandbox, r.SandboxHas, r.SandboxMissing, r.SandboxWithout = level.Name, level.Has, level.Missing, level.Without
	raw, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = a.folder.root.WriteFile(fileStatus+".tmp", append(raw, '\n'), 0o600)
	}
	if err == nil {
		err = a.folder.root.Rename(fileStatus+".tmp", fileStatus)
	}
	if err != nil {
		a.config.Log.Warn("write status", "err", err)
	}
}
