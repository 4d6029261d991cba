package spec

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
// and the guest never sees it; with "value" the guest may read it.
type Secret struct {
	Name   string `json:"name"`
	Expose string `json:"expose,omitempty"`
	Reason string `json:"reason,omitempty"`
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

// Exec allows a command by the name that the agent's owner gave it.
type Exec struct {
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"`
}
