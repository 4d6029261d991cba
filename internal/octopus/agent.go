package octopus

import "time"

// AgentStatus is what the agents page shows first.
type AgentStatus string

// The states of an agent. Disabled wins over the other two.
const (
	AgentOnline   AgentStatus = "online"
	AgentOffline  AgentStatus = "offline"
	AgentDisabled AgentStatus = "disabled"
)

// Agent is a registered machine.
type Agent struct {
	ID         string
	Name       string // unique; the machine's host name unless renamed
	PublicKey  []byte // Ed25519, 32 bytes
	Labels     map[string]string
	Slots      int // executions at a time
	Facts      Facts
	Enabled    bool
	Drained    bool // takes no new work, finishes what it has
	Revoked    bool // its key is refused
	CreatedAt  time.Time
	EnrolledBy string // join token's name

	SessionEpoch  int64
	Connected     bool      // its latest session is open and its server's lease is valid
	ConnectedAt   time.Time // start of the latest session
	LastSeen      time.Time // end of the latest session, or now while connected
	LastRefusal   string    // why the latest connection was refused; "" after a good one
	LastRefusalAt time.Time
}

// Status computes what the agents page shows first.
func (a Agent) Status() AgentStatus {
	switch {
	case !a.Enabled || a.Revoked:
		return AgentDisabled
	case a.Connected:
		return AgentOnline
	}
	return AgentOffline
}

// Facts is what an agent says of itself when it connects.
type Facts struct {
	Hostname     string            `json:"hostname"`
	User         string            `json:"user"` // operating-system user
	OS           string            `json:"os"`
	Arch         string            `json:"arch"`
	Platform     string            `json:"platform"` // "Debian GNU/Linux 12"
	Kernel       string            `json:"kernel"`
	Addresses    []string          `json:"addresses"`
	CPUs         int               `json:"cpus"`
	MemoryBytes  uint64            `json:"memory_bytes"`
	AgentVersion string            `json:"agent_version"`
	Slots        int               `json:"slots"`
	Labels       map[string]string `json:"labels,omitempty"` // given by the agent's owner
	Sandbox      Sandbox           `json:"sandbox"`
	Policy       string            `json:"policy,omitempty"` // the owner's policy file as text, "" without one
	// Commands are the names of the commands that the owner lets plugins run outside the sandbox; Scripts says whether
	// the agent was started to run scripts.
	Commands []string `json:"commands,omitempty"`
	Scripts  bool     `json:"scripts,omitempty"`
	// Transport is how the agent is connected, set by the hub; TransportReason is why not by a WebSocket, as the agent says.
	Transport       Transport `json:"transport,omitempty"`
	TransportReason string    `json:"transport_reason,omitempty"`
}

// Transport is how an agent is connected.
type Transport string

// The transports.
const (
	TransportWebSocket Transport = "websocket"
	TransportHTTP      Transport = "http" // long polls
)

// Connection says for people how the agent is, or was last, connected; "" where that is not known.
func (f Facts) Connection() string {
	switch {
	case f.Transport == TransportHTTP && f.TransportReason != "":
		return "HTTP long-poll, because " + f.TransportReason
	case f.Transport == TransportHTTP:
		return "HTTP long-poll"
	case f.Transport == TransportWebSocket:
		return "WebSocket"
	}
	return ""
}

// Sandbox is the level of containment that an agent reached; Missing is what a higher level would need.
type Sandbox struct {
	Level   string   `json:"level"`
	Has     []string `json:"has,omitempty"`
	Missing []string `json:"missing,omitempty"`
	Without []string `json:"without,omitempty"` // what the machine does not allow, and no level needs
}

// AgentSession is one connection of an agent.
type AgentSession struct {
	AgentID        string
	Epoch          int64
	ServerID       string
	Incarnation    string
	RemoteAddr     string
	ConnectedAt    time.Time
	DisconnectedAt time.Time // zero while open
	Cause          string    // why it ended
}

// JoinToken lets machines enrol themselves.
type JoinToken struct {
	ID        string
	Name      string
	Hash      []byte            // SHA-256 of the secret
	Labels    map[string]string // forced on agents that use it
	Uses      int
	MaxUses   int // 0: no limit
	CreatedAt time.Time
	CreatedBy string
	ExpiresAt time.Time
	RevokedAt time.Time
}
