package agent

import (
	"context"
	"io"
	"time"

	"octopus/agent/broker"
)

// Agent is one machine's share of Octopus.
type Agent struct{ config Config }

// New checks the configuration and opens the data folder, which it locks: one agent per folder.
func New(c Config) (*Agent, error) { panic("not built yet") }

// Run enrols where that is still to be done, connects, and works until ctx ends or the server asks for a restart
// ([ErrRestart]). It returns when everything it started has ended. Lost connections are no errors: it tries again.
func (a *Agent) Run(ctx context.Context) error { panic("not built yet") }

// Check tries the way to the server step by step (DNS, proxy, TCP, TLS, nonce, upgrade), writes a line for each,
// and stops at the first that fails, with what to do next. The error is that step's.
func Check(ctx context.Context, c Config, w io.Writer) error { panic("not built yet") }

// Report is what an agent on this machine says of itself.
type Report struct {
	Running     bool      `json:"running"`
	PID         int       `json:"pid,omitempty"`
	Agent       string    `json:"agent,omitempty"`
	Name        string    `json:"name,omitempty"`
	Server      string    `json:"server,omitempty"`
	Version     string    `json:"version,omitempty"`
	Connected   bool      `json:"connected"`
	Since       time.Time `json:"since,omitzero"`       // of the connection, or of its end
	LastError   string    `json:"last_error,omitempty"` // why it is not connected
	Slots       int       `json:"slots,omitempty"`
	Free        int       `json:"free"`
	Sandbox     string    `json:"sandbox,omitempty"`
	PolicyFile  string    `json:"policy_file,omitempty"`
	Policy      string    `json:"policy,omitempty"` // text of the policy in force, "" without one
	Executions  []Current `json:"executions,omitempty"`
	PendingSend int       `json:"pending_results,omitempty"`
	UpdatedAt   time.Time `json:"updated_at,omitzero"`
}

// Current is an execution that the agent holds.
type Current struct {
	Execution string    `json:"execution"`
	Plugin    string    `json:"plugin"`
	Action    string    `json:"action"`
	Task      string    `json:"task,omitempty"`
	Phase     string    `json:"phase"`
	Since     time.Time `json:"since"`
}

// Status reads what the agent of a data folder says of itself, whether it runs or not.
func Status(dataDir string) (Report, error) { panic("not built yet") }

// BrokerConfig says for whom a broker works and what it may do.
type BrokerConfig = broker.Config

// NewBroker makes the broker of one execution. It needs no server: without Remote, kv and cache are unavailable.
func NewBroker(c BrokerConfig) *broker.Broker { return broker.New(c) }

// ServiceConfig is what an installed service starts with.
type ServiceConfig struct {
	// Executable is the program. Defaults to this one.
	Executable string
	// Args follow it. Defaults to "agent" and the flags for Server, TokenFile, Data and Policy.
	Args []string
	// Name of the service. Defaults to "octopus-agent".
	Name                            string
	Server, TokenFile, Data, Policy string
	Insecure                        bool
	CAFile                          string
}

// InstallService makes the agent start with the machine (systemd, or the Windows service manager) and starts it.
// It needs root, or an administrator.
func InstallService(c ServiceConfig, w io.Writer) error { panic("not built yet") }

// UninstallService stops and removes the service. The data folder stays.
func UninstallService(name string, w io.Writer) error { panic("not built yet") }
