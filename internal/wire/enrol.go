package wire

import "octopus/internal/octopus"

// Headers of an agent's signed requests. The signature is Ed25519 over [SignedText].
const (
	HeaderAgent     = "Octopus-Agent"
	HeaderNonce     = "Octopus-Nonce"
	HeaderHost      = "Octopus-Host" // the host that the agent believes it talks to
	HeaderSignature = "Octopus-Signature"
	HeaderVersion   = "Octopus-Version"

	// HeaderIncarnation is the incarnation that the hello will name, so that two machines with one key are refused
	// before the upgrade.
	HeaderIncarnation = "Octopus-Incarnation"
)

// SignedText is what an agent signs: it binds the request to one agent, nonce, host, method and path.
func SignedText(agent, nonce, host, method, path string) []byte {
	return []byte("octopus-agent-v1\n" + agent + "\n" + nonce + "\n" + host + "\n" + method + "\n" + path)
}

// Nonce answers GET /api/v1/agent/nonce. It is valid for ValidMS.
type Nonce struct {
	Nonce   string `json:"nonce"`
	ValidMS int64  `json:"valid_ms"`
}

// Enrol is the body of POST /api/v1/agent/enrol: a join token registers the agent's own new key.
type Enrol struct {
	Token     string            `json:"token"`
	PublicKey []byte            `json:"public_key"`
	Name      string            `json:"name,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Facts     octopus.Facts     `json:"facts"`
}

// Enrolled answers it.
type Enrolled struct {
	Agent     string `json:"agent"`
	Name      string `json:"name"`
	ServerKey []byte `json:"server_key,omitempty"` // Ed25519 key that signs plugins
}

// Keys answers GET /api/v1/agent/keys: the keys that agents pin, the oldest first.
type Keys struct {
	Keys []ServerKey `json:"keys"`
}

// Paths of the hub, below the server's URL.
const (
	PathNonce   = "/api/v1/agent/nonce"
	PathEnrol   = "/api/v1/agent/enrol"
	PathConnect = "/api/v1/agent/connect"
	PathModules = "/api/v1/agent/modules/" // + digest; signed
	PathKeys    = "/api/v1/agent/keys"     // public
	PathBlobs   = "/api/v1/agent/blobs/"   // + sha256; signed, PUT
)
