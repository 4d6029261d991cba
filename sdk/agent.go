package sdk

import (
	"context"
	"time"
)

// Agent is a registered machine.
type Agent struct {
	ID            string            `json:"id" example:"agt_01kb2m3n4p5q6r7s8t9v0w1x2y"`
	Name          string            `json:"name"`
	Status        string            `json:"status" enum:"online,offline,disabled"`
	Labels        map[string]string `json:"labels,omitempty"`
	Slots         int               `json:"slots" doc:"Executions at a time."`
	Free          int               `json:"free" doc:"Slots that are free now; 0 while offline."`
	Running       []string          `json:"running,omitempty" doc:"Executions that run there now."`
	Load          float64           `json:"load,omitempty" doc:"One-minute load average."`
	Enabled       bool              `json:"enabled"`
	Drained       bool              `json:"drained"`
	Revoked       bool              `json:"revoked,omitempty"`
	Facts         AgentFacts        `json:"facts"`
	RemoteAddr    string            `json:"remote_addr,omitempty"`
	ConnectedAt   time.Time         `json:"connected_at,omitzero"`
	LastSeen      time.Time         `json:"last_seen,omitzero"`
	LastRefusal   string            `json:"last_refusal,omitempty" doc:"Why its latest connection was refused."`
	LastRefusalAt time.Time         `json:"last_refusal_at,omitzero"`
	EnrolledBy    string            `json:"enrolled_by,omitempty" doc:"Name of the join token."`
	CreatedAt     time.Time         `json:"created_at"`
}

// AgentFacts is what an agent says of its machine.
type AgentFacts struct {
	Hostname       string   `json:"hostname,omitempty"`
	User           string   `json:"user,omitempty" doc:"Operating-system user of the agent."`
	OS             string   `json:"os,omitempty"`
	Arch           string   `json:"arch,omitempty"`
	Platform       string   `json:"platform,omitempty"`
	Kernel         string   `json:"kernel,omitempty"`
	Addresses      []string `json:"addresses,omitempty"`
	CPUs           int      `json:"cpus,omitempty"`
	MemoryBytes    uint64   `json:"memory_bytes,omitempty"`
	AgentVersion   string   `json:"agent_version,omitempty"`
	SandboxLevel   string   `json:"sandbox_level,omitempty"`
	SandboxHas     []string `json:"sandbox_has,omitempty"`
	SandboxMissing []string `json:"sandbox_missing,omitempty"`
	SandboxWithout []string `json:"sandbox_without,omitempty" doc:"What the machine does not allow, and no level needs."`
	Policy         string   `json:"policy,omitempty" doc:"The owner's policy file. Left out in lists."`

	Commands []string `json:"commands,omitempty" doc:"Names of the commands that its owner lets plugins run, outside the sandbox."`
	Scripts  bool     `json:"scripts,omitempty" doc:"Its owner started it to run scripts, outside the sandbox."`

	Transport       string `json:"transport,omitempty" doc:"How it is, or was last, connected: websocket, or http for long polls."`
	TransportReason string `json:"transport_reason,omitempty" doc:"Why not by a WebSocket, as the agent says."`
}

// AgentSession is one connection of an agent.
type AgentSession struct {
	Epoch          int64     `json:"epoch"`
	ServerID       string    `json:"server_id"`
	RemoteAddr     string    `json:"remote_addr,omitempty"`
	ConnectedAt    time.Time `json:"connected_at"`
	DisconnectedAt time.Time `json:"disconnected_at,omitzero"`
	Cause          string    `json:"cause,omitempty" doc:"Why it ended."`
}

// RenameAgent is the body of POST /agents/{id}/rename.
type RenameAgent struct {
	Name string `json:"name" minLength:"1" maxLength:"128"`
}

// NewJoinToken is the body of POST /agents/tokens.
type NewJoinToken struct {
	Name       string            `json:"name,omitempty" maxLength:"128" doc:"Shown on the agents that used it."`
	Labels     map[string]string `json:"labels,omitempty" doc:"Forced on agents that use it."`
	MaxUses    *int              `json:"max_uses,omitempty" minimum:"0" maximum:"1000000" doc:"How many machines. 0: no limit. Left out: 1."`
	TTLSeconds float64           `json:"ttl_seconds,omitempty" minimum:"0" maximum:"31536000" doc:"Left out: 24 hours."`
}

// JoinToken lets machines enrol themselves.
type JoinToken struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels,omitempty"`
	Uses      int               `json:"uses"`
	MaxUses   int               `json:"max_uses" doc:"0: no limit."`
	Secret    string            `json:"secret,omitempty" doc:"Shown once, when it is made."`
	CreatedBy string            `json:"created_by,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
	RevokedAt time.Time         `json:"revoked_at,omitzero"`
}

// Agent returns an agent by id or name.
func (c *Client) Agent(ctx context.Context, idOrName string) (a Agent, err error) {
	err = c.do(ctx, "GET", path("agents", idOrName), nil, nil, &a)
	return a, err
}

// Agents lists agents by name.
func (c *Client) Agents(ctx context.Context, f AgentFilter) (page Page[Agent], err error) {
	err = c.do(ctx, "GET", "/agents", f.values(), nil, &page)
	return page, err
}

// AgentSessions lists the latest connections of an agent, newest first.
func (c *Client) AgentSessions(ctx context.Context, idOrName string) (page Page[AgentSession], err error) {
	err = c.do(ctx, "GET", path("agents", idOrName, "sessions"), nil, nil, &page)
	return page, err
}

// AgentAction does what a button of the agent's page does: "enable", "disable", "drain", "undrain", "restart" or
// "revoke".
func (c *Client) AgentAction(ctx context.Context, idOrName, action string) (a Agent, err error) {
	err = c.do(ctx, "POST", path("agents", idOrName, action), nil, nil, &a)
	return a, err
}

// RenameAgent gives an agent another name.
func (c *Client) RenameAgent(ctx context.Context, idOrName, name string) (a Agent, err error) {
	err = c.do(ctx, "POST", path("agents", idOrName, "rename"), nil, RenameAgent{Name: name}, &a)
	return a, err
}

// RemoveAgent forgets an agent. Its key is refused from then on; what ran there stays.
func (c *Client) RemoveAgent(ctx context.Context, idOrName string) error {
	return c.do(ctx, "DELETE", path("agents", idOrName), nil, nil, nil)
}

// CreateJoinToken makes a join token. Its Secret is shown only now.
func (c *Client) CreateJoinToken(ctx context.Context, t NewJoinToken, options ...CallOption) (token JoinToken, err error) {
	err = c.do(ctx, "POST", "/agents/tokens", nil, t, &token, options...)
	return token, err
}

// JoinTokens lists the join tokens.
func (c *Client) JoinTokens(ctx context.Context) (page Page[JoinToken], err error) {
	err = c.do(ctx, "GET", "/agents/tokens", nil, nil, &page)
	return page, err
}

// RevokeJoinToken ends a join token. Agents that used it stay.
func (c *Client) RevokeJoinToken(ctx context.Context, id string) error {
	return c.do(ctx, "DELETE", path("agents", "tokens", id), nil, nil, nil)
}
