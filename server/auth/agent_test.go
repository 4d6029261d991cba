package auth

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// machine is an agent with its key.
type machine struct {
	agent octopus.Agent
	key   ed25519.PrivateKey
}

func (h *house) machine(name string) machine {
	h.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	_, secret, err := h.CreateJoinToken(h.t.Context(), h.admin, "", nil, 1, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	agent, err := h.store.Enrol(h.t.Context(), HashSecret(secret), octopus.Agent{
		ID: octopus.NewID(octopus.PrefixAgent, time.Now()), Name: name, PublicKey: public, Enabled: true, Slots: 1,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return machine{agent, private}
}

// sign makes a signed request as an agent does.
func (h *house) sign(m machine, host string) *http.Request {
	nonce, _ := h.Nonce()
	r := httptest.NewRequest("GET", "http://"+host+wire.PathConnect, nil)
	r.Header.Set(wire.HeaderAgent, m.agent.ID)
	r.Header.Set(wire.HeaderNonce, nonce)
	r.Header.Set(wire.HeaderHost, host)
	text := wire.SignedText(m.agent.ID, nonce, host, r.Method, r.URL.Path)
	r.Header.Set(wire.HeaderSignature, base64.StdEncoding.EncodeToString(ed25519.Sign(m.key, text)))
	return r
}

const public = "octopus.example.com"

func TestVerifyAgent(t *testing.T) {
	t.Parallel()
	h := open(t)
	m, other := h.machine("web-01"), h.machine("web-02")
	for _, host := range []string{public, "OCTOPUS.example.com:443"} {
		if a, err := h.VerifyAgent(t.Context(), h.sign(m, host)); err != nil || a.ID != m.agent.ID {
			t.Errorf("%s: %v", host, err)
		}
	}
	urlAlphabet := h.sign(m, public)
	urlAlphabet.Header.Set(wire.HeaderSignature, strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(urlAlphabet.Header.Get(wire.HeaderSignature)))
	if _, err := h.VerifyAgent(t.Context(), urlAlphabet); err != nil {
		t.Errorf("URL alphabet: %v", err)
	}
	set := func(header, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(header, value) }
	}
	for _, tc := range []struct {
		name  string
		spoil func(*http.Request)
		code  octopus.Code
		says  string
	}{
		{"forged signature", func(r *http.Request) {
			s := []byte(r.Header.Get(wire.HeaderSignature))
			s[10] ^= 1
			if s[10] == '=' || s[10] == ' ' {
				s[10] = 'A'
			}
			r.Header.Set(wire.HeaderSignature, string(s))
		}, octopus.CodeUnauthenticated, "signature"},
		{"no signature", func(r *http.Request) { r.Header.Del(wire.HeaderSignature) }, octopus.CodeUnauthenticated, wire.HeaderSignature},
		{"long signature", set(wire.HeaderSignature, strings.Repeat("A", 4096)), octopus.CodeUnauthenticated, "signature"},
		{"another agent's name", set(wire.HeaderAgent, other.agent.ID), octopus.CodeUnauthenticated, "signature"},
		{"unknown agent", set(wire.HeaderAgent, octopus.NewID(octopus.PrefixAgent, time.Now())), octopus.CodeUnauthenticated, "join token"},
		{"no agent's id", set(wire.HeaderAgent, "web-01"), octopus.CodeUnauthenticated, wire.HeaderAgent},
		{"another path", func(r *http.Request) { r.URL.Path = wire.PathModules + "x" }, octopus.CodeUnauthenticated, "signature"},
		{"another method", func(r *http.Request) { r.Method = "PUT" }, octopus.CodeUnauthenticated, "signature"},
		{"made-up nonce", set(wire.HeaderNonce, strings.Repeat("A", 54)), octopus.CodeUnauthenticated, "nonce"},
		{"no nonce", set(wire.HeaderNonce, "?"), octopus.CodeUnauthenticated, "nonce"},
		{"another host", set(wire.HeaderHost, "evil.test"), octopus.CodeDenied, "octopus.example.com"},
		{"a browser", set("Origin", "https://octopus.example.com"), octopus.CodeDenied, "browsers"},
	} {
		r := h.sign(m, public)
		tc.spoil(r)
		_, err := h.VerifyAgent(t.Context(), r)
		wantCode(t, tc.name, err, tc.code)
		if err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %q does not say %q", tc.name, err, tc.says)
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	h := open(t)
	m := h.machine("web-01")
	r := h.sign(m, public)
	if _, err := h.VerifyAgent(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, 30 * time.Second, 29 * time.Second} {
		h.clock.add(later)
		_, err := h.VerifyAgent(t.Context(), r)
		wantCode(t, "replayed", err, octopus.CodeUnauthenticated)
		if !strings.Contains(err.Error(), "used before") {
			t.Errorf("%v", err)
		}
	}
	h.clock.add(2 * time.Second)
	_, err := h.VerifyAgent(t.Context(), r)
	wantCode(t, "expired", err, octopus.CodeUnauthenticated)
	if !strings.Contains(err.Error(), "older than 60 s") {
		t.Errorf("%v", err)
	}
	early := h.sign(m, public)
	h.clock.add(-time.Minute)
	_, err = h.VerifyAgent(t.Context(), early)
	wantCode(t, "from the future", err, octopus.CodeUnauthenticated)
}

// TestForgedDoesNotSpend: whoever sees a nonce cannot spend it for the agent.
func TestForgedDoesNotSpend(t *testing.T) {
	t.Parallel()
	h := open(t)
	m := h.machine("web-01")
	good := h.sign(m, public)
	forged := good.Clone(t.Context())
	forged.Header.Set(wire.HeaderSignature, base64.StdEncoding.EncodeToString(make([]byte, 64)))
	if _, err := h.VerifyAgent(t.Context(), forged); err == nil {
		t.Fatal("a forged signature is taken")
	}
	if _, err := h.VerifyAgent(t.Context(), good); err != nil {
		t.Errorf("%v", err)
	}
}

func TestRevokedAgent(t *testing.T) {
	t.Parallel()
	h := open(t)
	m := h.machine("web-01")
	if _, err := h.store.UpdateAgent(t.Context(), m.agent.ID, func(a *octopus.Agent) error { a.Revoked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	_, err := h.VerifyAgent(t.Context(), h.sign(m, public))
	wantCode(t, "revoked", err, octopus.CodeDenied)
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		public, signed, asked, from string
		ok                          bool
	}{
		{"octopus.example.com", "octopus.example.com", "10.0.0.5:8080", "192.0.2.1:1", true}, // a proxy rewrote Host
		{"octopus.example.com", "evil.test", "evil.test", "192.0.2.1:1", false},              // a man in the middle passes it on
		{"octopus.example.com", "127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:1", true},     // on this machine
		{"octopus.example.com", "127.0.0.1:8080", "127.0.0.1:8080", "192.0.2.1:1", false},
		{"127.0.0.1:8080", "box.lan:8080", "box.lan:8080", "192.0.2.1:1", true}, // no public name is known
		{"127.0.0.1:8080", "box.lan:8080", "other.lan:8080", "192.0.2.1:1", false},
		{"", "box.lan", "box.lan", "192.0.2.1:1", true},
	} {
		a := &Auth{host: tc.public}
		r := httptest.NewRequest("GET", "http://"+tc.asked+"/", nil)
		r.RemoteAddr = tc.from
		if err := a.checkHost(r, tc.signed); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc, err)
		} else if err != nil && !strings.Contains(err.Error(), tc.signed) {
			t.Errorf("%v does not name %s", err, tc.signed)
		}
	}
	for in, want := range map[string]string{"A.B:443": "a.b", "a.b:80": "a.b", "a.b:8443": "a.b:8443", "[::1]:443": "[::1]", "::1": "::1", "a.b.": "a.b"} {
		if got := canonicalHost(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestNoncesAreBounded: a full memory turns agents away instead of forgetting a nonce.
func TestNoncesAreBounded(t *testing.T) {
	t.Parallel()
	n, now := newNonces(), time.Now()
	var id [nonceRandom]byte
	for i := range maxNonces {
		id[0], id[1], id[2] = byte(i), byte(i>>8), byte(i>>16)
		if fresh, err := n.spend(id, now); err != nil || !fresh {
			t.Fatal(i, err, fresh)
		}
	}
	id[3] = 1
	_, err := n.spend(id, now)
	wantCode(t, "full", err, octopus.CodeUnavailable)
	n.turn(now.Add(NonceTTL + clockSkew))
	n.turn(now.Add(2 * (NonceTTL + clockSkew)))
	if fresh, err := n.spend(id, now.Add(3*NonceTTL)); err != nil || !fresh {
		t.Errorf("after a while: %v %v", err, fresh)
	}
}

func FuzzNonce(f *testing.F) {
	a := &Auth{nonceKey: make([]byte, 32), now: time.Now}
	good, _ := a.Nonce()
	f.Add(good)
	f.Add(good[:50] + "\r\n" + good[50:])
	f.Add("")
	f.Add(strings.Repeat("A", 54))
	f.Fuzz(func(t *testing.T, nonce string) {
		if _, err := a.checkNonce(nonce); err == nil && len(nonce) != len(good) {
			t.Errorf("%q is taken", nonce)
		}
	})
}
