package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// moduleFacts are what an offer says of a plugin version besides the execution itself.
type moduleFacts struct {
	size       int64
	grant      json.RawMessage
	stdout     int64
	kvBytes    int64
	userParams []string
	secrets    map[string]string // what it may use: the name in the manifest → the stored secret
	refusal    string            // why it must not run any more, "" when it may
	config     json.RawMessage   // of the plugin; nil: none
	unfit      string            // why it cannot start with its configuration, "" when it can
}

// offerCache keeps the facts of the versions in use, by digest. It is emptied when plugins change; what was read
// before that must not be kept after it, or a revoked plugin would go on starting.
type offerCache struct {
	mu       sync.Mutex
	epoch    int64 // counts the times it was emptied
	changes  int64 // store.PluginChanges at that time
	facts    map[string]moduleFacts
	prefetch []wanted // nil: not known
}

// get finds what is known of a version, if it was read at this number of changes.
func (c *offerCache) get(changes int64, digest string) (moduleFacts, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changes != c.changes {
		c.changes = changes
		c.empty()
	}
	f, ok := c.facts[digest]
	return f, ok
}

// now is the epoch to give to put and keepPrefetch: ask for it before reading what they are to keep.
func (c *offerCache) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *offerCache) put(epoch int64, digest string, f moduleFacts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if c.facts == nil || len(c.facts) >= 1000 {
		c.facts = make(map[string]moduleFacts)
	}
	c.facts[digest] = f
}

func (c *offerCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.empty()
}

// empty forgets everything. c.mu is held.
func (c *offerCache) empty() {
	c.epoch++
	c.facts, c.prefetch = nil, nil
}

func (c *offerCache) prefetchList() ([]wanted, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.prefetch, c.prefetch != nil
}

// forgetPrefetch has the list of modules made anew, and returns what it was.
func (c *offerCache) forgetPrefetch() []wanted {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.prefetch
	c.prefetch = nil
	return before
}

func (c *offerCache) keepPrefetch(epoch int64, list []wanted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch == c.epoch {
		c.prefetch = append([]wanted{}, list...) // not nil, also when it is empty
	}
}

// facts returns what offers say of a version, from memory where it can.
func (d *Dispatcher) facts(ctx context.Context, digest string) (moduleFacts, error) {
	if f, ok := d.offers.get(d.store.PluginChanges(), digest); ok {
		return f, nil
	}
	epoch := d.offers.now()
	v, err := d.store.VersionByDigest(ctx, digest)
	if err != nil {
		return moduleFacts{}, fmt.Errorf("plugin version: %w", err)
	}
	m, err := d.cfg.Catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return moduleFacts{}, fmt.Errorf("manifest: %w", err)
	}
	caps, err := d.cfg.Catalog.EffectiveGrant(v)
	if err != nil {
		return moduleFacts{}, fmt.Errorf("grant: %w", err)
	}
	secrets := bindings(&caps)
	grant, err := json.Marshal(caps)
	if err != nil {
		return moduleFacts{}, fmt.Errorf("grant: %w", err)
	}
	f := moduleFacts{size: v.Size, grant: grant, stdout: int64(m.Limits.Stdout), userParams: caps.UserParams, secrets: secrets}
	if caps.KV != nil {
		f.kvBytes = int64(caps.KV.MaxBytes)
	}
	if f.config, err = d.cfg.Catalog.Config(ctx, v); octopus.CodeOf(err) == octopus.CodeInvalid {
		f.unfit = octopus.Sentence(err)
	} else if err != nil {
		return moduleFacts{}, fmt.Errorf("configuration: %w", err)
	}
	if v.Status == octopus.VersionRevoked {
		f.refusal = fmt.Sprintf("%s %s was revoked.", v.Plugin, v.Version)
	}
	d.offers.put(epoch, digest, f)
	return f, nil
}

// sendOffers tells agents what was offered to them, and takes back what cannot be sent.
func (d *Dispatcher) sendOffers(ctx context.Context, list []octopus.Execution) {
	for _, x := range list {
		if err := d.sendOffer(ctx, x); err != nil {
			d.cfg.Log.Warn("offer not sent", "execution", x.ID, "agent", x.AgentName, "err", err)
		}
	}
}

// sendOffer releases the credit that was reserved for x and uses it.
func (d *Dispatcher) sendOffer(ctx context.Context, x octopus.Execution) error {
	f, err := d.facts(ctx, x.Digest)
	d.mu.Lock()
	s := d.sessions[x.AgentID]
	if s != nil {
		s.reserved = max(s.reserved-1, 0)
	}
	// Its sandbox was good enough when it was claimed; since then the agent may have come back with another.
	if err != nil || f.refusal+f.unfit != "" || s == nil || s.closed || !s.ready || !s.sandbox.Reaches(x.Sandbox) {
		d.mu.Unlock()
		d.takeBack(x, f)
		return err
	}
	if lacks := tooOld(x, s.version); lacks != "" {
		name := s.name
		d.mu.Unlock()
		d.decline(x, name, lacks)
		return nil
	}
	seq := s.offer(x)
	d.mu.Unlock()
	s.send(d.offerMessage(ctx, x, f, seq))
	return nil
}

// takeBack withdraws an offer that was committed and cannot be sent.
func (d *Dispatcher) takeBack(x octopus.Execution, f moduleFacts) {
	e := event{kind: evDetach, agentID: x.AgentID, agentName: x.AgentName, fence: x.Fence}
	switch {
	case f.refusal != "":
		e = event{kind: evRefuse, code: "plugin_revoked", message: f.refusal}
	case f.unfit != "":
		e = event{kind: evRefuse, code: "plugin_config", message: f.unfit}
	}
	d.background(x.ID, func(ctx context.Context) { d.tell(d.step(ctx, x.ID, e)) })
}

// tooOld names what an agent that speaks a version of the protocol would pass over in silence; "" where it would not.
func tooOld(x octopus.Execution, version int) string {
	switch {
	case x.DryRun && version < wire.VersionDryRun: // it would do it all
		return "dry runs"
	case x.Repeat.On() && version < wire.VersionRepeat: // it would show the real clock, and real random numbers
		return "frozen clocks and seeds"
	}
	return ""
}

// decline answers an offer for an agent that is too old for it.
func (d *Dispatcher) decline(x octopus.Execution, agent, lacks string) {
	e := event{
		kind: evReject, agentID: x.AgentID, agentName: agent, fence: x.Fence, reject: wire.RejectPolicy,
		message: "The agent is too old for " + lacks + ". Update it.",
	}
	d.background(x.ID, func(ctx context.Context) {
		e.left = d.others(ctx, x.ID, x.AgentID)
		d.tell(d.step(ctx, x.ID, e))
	})
}

func (d *Dispatcher) offerMessage(ctx context.Context, x octopus.Execution, f moduleFacts, seq int64) *wire.Offer {
	m := &wire.Offer{
		OfferSeq: seq, Execution: x.ID, Run: x.RunID, Task: x.TaskID, TaskName: x.TaskName, Attempt: x.Attempt + 1, Fence: x.Fence,
		Plugin: x.Plugin, PluginVersion: x.PluginVersion, Digest: x.Digest, Size: f.size, Action: x.Action, Params: x.Params,
		Config: f.config, Grant: f.grant, MemoryBytes: x.Memory, StdoutBytes: f.stdout, Fuel: x.Fuel,
		TimeoutMS: x.Timeout.Milliseconds(), LostAfterMS: x.LostAfter.Milliseconds(), OnLost: x.OnLost, DryRun: x.DryRun,
		ArtifactBytes: wire.MaxArtifactBytes, Sandbox: x.Sandbox, Seed: x.Seed,
	}
	if !x.Clock.IsZero() {
		m.ClockNS = new(x.Clock.UnixNano())
	}
	if !x.DeadlineAt.IsZero() {
		m.DeadlineMS = max(x.DeadlineAt.Sub(d.store.Now()).Milliseconds(), 1)
	}
	m.User = d.userOf(ctx, x.CreatedBy, f.userParams)
	return m
}

// userOf is who started the run, with the categories of parameters that the plugin was granted.
func (d *Dispatcher) userOf(ctx context.Context, name string, categories []string) json.RawMessage {
	user := spec.RequestUser{Name: name}
	if len(categories) > 0 && d.cfg.Vault != nil {
		user.Params = d.userParams(ctx, name, categories)
	}
	raw, err := json.Marshal(user)
	if err != nil {
		return nil
	}
	return raw
}

func (d *Dispatcher) userParams(ctx context.Context, name string, categories []string) json.RawMessage {
	granted, err := d.cfg.Vault.ParamsFor(ctx, name, categories)
	if err != nil {
		d.cfg.Log.Warn("a user's parameters cannot be read", "user", name, "err", err)
	}
	if len(granted) == 0 {
		return nil
	}
	raw, err := json.Marshal(granted)
	if err != nil {
		return nil
	}
	return raw
}
