package spec

import (
	"errors"
	"net/netip"
)

// InvalidResponse says why and where a plugin's output is not a response.
type InvalidResponse struct {
	Offset  int64
	Message string
}

// Error is the sentence.
func (e *InvalidResponse) Error() string { return e.Message }

// DecodeResponse reads what a plugin printed. The error is *InvalidResponse.
func DecodeResponse(raw []byte) (Response, error) { panic("not built yet") }

// DecodeManifest reads a manifest, refusing unknown fields; Validate checks it.
func DecodeManifest(raw []byte) (Manifest, error) { panic("not built yet") }

// Validate returns every problem at once.
func (m Manifest) Validate() []Problem { panic("not built yet") }

// Intersect returns what both allow.
func (c Capabilities) Intersect(o Capabilities) Capabilities { panic("not built yet") }

// Missing says, one phrase each, what c asks for and granted does not cover.
func (c Capabilities) Missing(granted Capabilities) []string { panic("not built yet") }

// Allows says whether a request to host:port with method is covered. The
// address that the name resolves to is checked with AddressAllowed.
func (h HTTP) Allows(host string, port int, method string) bool { panic("not built yet") }

// Allows says whether host:port is covered. Port 0 (dns.lookup) matches any.
func (n Net) Allows(host string, port int) bool { panic("not built yet") }

// AddressAllowed says whether an address is in one of the classes.
func AddressAllowed(addr netip.Addr, classes []string) bool { panic("not built yet") }

var errNotBuilt = errors.New("not built yet")
