package spec

// CapabilityNames are the members of [Capabilities], as they stand in a
// manifest.
var CapabilityNames = []string{"http", "net", "host", "secrets", "kv", "files", "env", "exec", "script", "user_params"}

// Capabilities are what a plugin may do beyond computing. The zero value is
// nothing, which is also the default.
type Capabilities struct {
	HTTP       *HTTP    `json:"http,omitempty"`
	Net        *Net     `json:"net,omitempty"`
	Host       []string `json:"host,omitempty"`
	Secrets    []Secret `json:"secrets,omitempty"`
	KV         *KV      `json:"kv,omitempty"`
	Files      []File   `json:"files,omitempty"`
	Env        []string `json:"env,omitempty"`
	Exec       []Exec   `json:"exec,omitempty"`
	Script     *Script  `json:"script,omitempty"`
	UserParams []string `json:"user_params,omitempty"`
}

// HTTP allows http.fetch. A host is "name", "name:port", "*.name", "*", an IP
// address, each with ":port", ":*" or nothing (ports 80 and 443; "*" alone is
// any host on any port). Addresses are public, private, loopback or CIDRs;
// empty is public. Empty methods are GET and HEAD; "*" is any.
type HTTP struct {
	Hosts     []string `json:"hosts"`
	Addresses []string `json:"addresses,omitempty"`
	Methods   []string `json:"methods,omitempty"`
	Reason    string   `json:"reason,omitempty"`
}

// Net allows tcp.probe and dns.lookup. Hosts and addresses are as in HTTP,
// but a host without a port is any port.
type Net struct {
	Hosts     []string `json:"hosts"`
	Addresses []string `json:"addresses,omitempty"`
	Reason    string   `json:"reason,omitempty"`
}

// Secret names a secret. With Expose "header" the host puts it into requests
// and the guest never sees it; with "value" the guest may read it. Bind is
// only in a grant: the stored secret that is meant. Defaults to Name. Without
// the secret no action runs, or, where Actions are named, none of those.
type Secret struct {
	Name    string   `json:"name"`
	Expose  string   `json:"expose,omitempty"`
	Bind    string   `json:"bind,omitempty"`
	Actions []string `json:"actions,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// KV allows the durable key-value store, up to MaxBytes in all.
type KV struct {
	MaxBytes Size   `json:"max_bytes,omitzero"`
	Reason   string `json:"reason,omitempty"`
}

// File allows what is under Path, an absolute directory. Mode is ro or rw.
type File struct {
	Path   string `json:"path"`
	Mode   string `json:"mode,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Script allows script.run: text that an interpreter of the agent's machine
// runs, outside the sandbox. Interpreters are names such as sh or python3;
// "*" is any that the agent knows.
type Script struct {
	Interpreters []string `json:"interpreters"`
	Reason       string   `json:"reason,omitempty"`
}

// Has says whether c holds anything of a capability, by its name.
func (c Capabilities) Has(name string) bool {
	switch name {
	case "http":
		return c.HTTP != nil
	case "net":
		return c.Net != nil
	case "host":
		return len(c.Host) > 0
	case "secrets":
		return len(c.Secrets) > 0
	case "kv":
		return c.KV != nil
	case "files":
		return len(c.Files) > 0
	case "env":
		return len(c.Env) > 0
	case "exec":
		return len(c.Exec) > 0
	case "script":
		return c.Script != nil
	case "user_params":
		return len(c.UserParams) > 0
	}
	return false
}

// Unsandboxed says whether something of c runs outside the sandbox, as a
// process with the rights of the agent's user.
func (c Capabilities) Unsandboxed() bool { return len(c.Exec) > 0 || c.Script != nil }

// Exec allows a command by the name that the agent's owner gave it; "*" is
// any command that the owner named.
type Exec struct {
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"`
}
