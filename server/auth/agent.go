package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// VerifyAgent checks a signed request of an agent and returns the agent. The signature is base64 (standard or
// URL alphabet) in the header, over [wire.SignedText] of the headers, the method and the path. The errors are
// sentences: CodeUnauthenticated for a bad or replayed signature, CodeDenied for a revoked agent, a browser or
// another host, CodeUnavailable when it should come back later. A nonce is spent by the first good signature.
func (a *Auth) VerifyAgent(ctx context.Context, r *http.Request) (octopus.Agent, error) {
	agent, err := a.verifyAgent(r, func(id string) (octopus.Agent, error) { return a.store.Agent(ctx, id) })
	if err == nil && agent.Revoked {
		err = octopus.Errorf(octopus.CodeDenied, "The agent %s was revoked. Enrol the machine again with a join token.", agent.Name)
	}
	return agent, err
}

// VerifyKnown is [Auth.VerifyAgent] for an agent whose session is open: its key is at hand, so that the database is
// not asked. Whoever revokes an agent ends its session.
func (a *Auth) VerifyKnown(r *http.Request, known octopus.Agent) error {
	_, err := a.verifyAgent(r, func(id string) (octopus.Agent, error) {
		if id != known.ID {
			return octopus.Agent{}, octopus.Errorf(octopus.CodeUnauthenticated, "The session is not that of agent %s.", id)
		}
		return known, nil
	})
	return err
}

func (a *Auth) verifyAgent(r *http.Request, lookup func(id string) (octopus.Agent, error)) (octopus.Agent, error) {
	if r.Header.Get("Origin") != "" {
		return octopus.Agent{}, octopus.Errorf(octopus.CodeDenied, "This address is for agents, not for browsers.")
	}
	id, nonce, host := r.Header.Get(wire.HeaderAgent), r.Header.Get(wire.HeaderNonce), r.Header.Get(wire.HeaderHost)
	if id == "" || nonce == "" || host == "" || r.Header.Get(wire.HeaderSignature) == "" {
		return octopus.Agent{}, octopus.Errorf(octopus.CodeUnauthenticated, "The request lacks one of the headers %s, %s, %s and %s.",
			wire.HeaderAgent, wire.HeaderNonce, wire.HeaderHost, wire.HeaderSignature)
	}
	if !octopus.ValidID(octopus.PrefixAgent, id) || len(host) > 255 {
		return octopus.Agent{}, octopus.Errorf(octopus.CodeUnauthenticated, "The header %s must carry an agent's id, %s a host name.", wire.HeaderAgent, wire.HeaderHost)
	}
	nonceID, err := a.checkNonce(nonce)
	if err != nil {
		return octopus.Agent{}, err
	}
	if err := a.checkHost(r, host); err != nil {
		return octopus.Agent{}, err
	}
	agent, err := lookup(id)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return octopus.Agent{}, octopus.Errorf(octopus.CodeUnauthenticated,
			"This server knows no agent %s: it was removed, or belongs to another server. Enrol the machine again with a join token.", id)
	}
	if err != nil {
		return octopus.Agent{}, err
	}
	text := wire.SignedText(id, nonce, host, r.Method, r.URL.Path)
	if !goodSignature(agent.PublicKey, text, r.Header.Get(wire.HeaderSignature)) {
		return octopus.Agent{}, octopus.Errorf(octopus.CodeUnauthenticated, "The signature does not belong to agent %s. Is this the data folder of another agent?", id)
	}
	fresh, err := a.used.spend(nonceID, a.now())
	if err != nil {
		return octopus.Agent{}, err
	}
	if !fresh {
		return octopus.Agent{}, octopus.Errorf(octopus.CodeUnauthenticated, "This nonce was used before. Ask /api/v1/agent/nonce for a new one.")
	}
	return agent, nil
}

func goodSignature(key, text []byte, encoded string) bool {
	if len(encoded) > 2*ed25519.SignatureSize || len(key) != ed25519.PublicKeySize {
		return false
	}
	encoded = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(encoded), "=")
	signature, err := base64.RawStdEncoding.DecodeString(encoded)
	return err == nil && len(signature) == ed25519.SignatureSize && ed25519.Verify(ed25519.PublicKey(key), text, signature)
}

// checkHost compares the host that an agent signed with the public one. Without that, whoever lures an agent to
// another host could pass its signed request on to this one. The host of the request itself counts only where no
// public name is known, or on this very machine: a man in the middle can write what he likes there.
func (a *Auth) checkHost(r *http.Request, signed string) error {
	signed = canonicalHost(signed)
	asked := canonicalHost(r.Host)
	switch {
	case a.host != "" && signed == a.host:
		return nil
	case (a.host == "" || isLoopback(a.host)) && signed == asked:
		return nil
	case isLoopback(signed) && isLoopback(a.ClientIP(r)):
		return nil
	}
	public := a.host
	if public == "" || isLoopback(public) {
		public = asked
	}
	return octopus.Errorf(octopus.CodeDenied,
		"The agent wants to talk to %s, but this server is %s. Start the agent with --server naming %s, or the server with a --public-url naming %s.",
		signed, public, public, signed)
}

// canonicalHost lowers a host and drops the ports that http and https imply.
func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, port := range []string{":80", ":443"} {
		if rest, ok := strings.CutSuffix(host, port); ok && (!strings.Contains(rest, ":") || strings.HasSuffix(rest, "]")) {
			return rest
		}
	}
	return host
}

// isLoopback reports whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
