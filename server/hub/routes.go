package hub

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/auth"
)

// Limits of what agents send over HTTP, in bytes.
const (
	maxEnrol = 64 << 10
	maxBlob  = 64 << 20
)

// Routes answers everything below /api/v1/agent/, and long polls. Paths are whole, as in wire.Path….
func (h *Hub) Routes() http.Handler {
	r := chi.NewRouter()
	r.Get(wire.PathNonce, h.nonce)
	r.Post(wire.PathEnrol, h.enrolAgent)
	r.Get(wire.PathConnect, h.connect)
	r.Post(wire.PathHeartbeat, h.heartbeat)
	r.Get(wire.PathKeys, h.keys)
	r.Get(wire.PathModules+"{digest}", h.module)
	r.Put(wire.PathBlobs+"{sha}", h.blob)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		h.problem(w, r, octopus.Errorf(octopus.CodeNotFound, "There is nothing at this address. Is the agent newer than the server?"))
	})
	return r
}

func (h *Hub) nonce(w http.ResponseWriter, _ *http.Request) {
	nonce, valid := h.cfg.Auth.Nonce()
	answer(w, http.StatusOK, wire.Nonce{Nonce: nonce, ValidMS: valid.Milliseconds()})
}

// enrolAgent registers a machine's own new key with a join token.
func (h *Hub) enrolAgent(w http.ResponseWriter, r *http.Request) {
	if err := h.cfg.Auth.MayEnrol(r); err != nil {
		h.problem(w, r, err)
		return
	}
	select {
	case h.enrol <- struct{}{}:
		defer func() { <-h.enrol }()
	default:
		e := octopus.Errorf(octopus.CodeUnavailable, "Too many machines enrol at once. Try again in a moment.")
		e.RetryAfterSeconds = 1
		h.problem(w, r, e)
		return
	}
	var m wire.Enrol
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEnrol)).Decode(&m); err != nil {
		h.problem(w, r, octopus.Errorf(octopus.CodeMalformed, "The request to enrol is not the JSON object that it should be."))
		return
	}
	if m.Token == "" || len(m.PublicKey) != ed25519.PublicKeySize {
		h.problem(w, r, octopus.Errorf(octopus.CodeMalformed, "A request to enrol needs a join token and an Ed25519 public key."))
		return
	}
	if err := checkEnrol(m); err != nil {
		h.problem(w, r, err)
		return
	}
	now := h.cfg.Store.Now()
	agent, err := h.cfg.Store.Enrol(r.Context(), auth.HashSecret(m.Token), octopus.Agent{
		ID: octopus.NewID(octopus.PrefixAgent, now), Name: agentName(m), PublicKey: m.PublicKey, Labels: m.Labels,
		Slots: m.Facts.Slots, Facts: m.Facts, Enabled: true, CreatedAt: now,
	})
	if err != nil {
		if octopus.CodeOf(err) == octopus.CodeUnauthenticated {
			h.cfg.Auth.NotEnrolled(r)
		}
		h.problem(w, r, err)
		return
	}
	answer(w, http.StatusCreated, wire.Enrolled{Agent: agent.ID, Name: agent.Name, ServerKey: h.newestKey(r.Context())})
}

// checkEnrol refuses a name that was asked for and could not be given, and labels that no selector could name.
func checkEnrol(m wire.Enrol) error {
	if m.Name != "" {
		if err := octopus.CheckAgentName(m.Name); err != nil {
			return err
		}
	}
	if err := octopus.CheckLabels(m.Labels); err != nil {
		return err
	}
	return octopus.CheckLabels(m.Facts.Labels)
}

var notInName = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// agentName is what the machine is called: what was asked for, as it is, else its host name, of characters that need
// no quotes anywhere.
func agentName(m wire.Enrol) string {
	if m.Name != "" {
		return m.Name
	}
	name := strings.Trim(notInName.ReplaceAllString(m.Facts.Hostname, "-"), "-.")
	if name == "" {
		return "agent"
	}
	return strings.TrimRight(clip(name, 100), "-.")
}

// blob takes a large response before the result that names it.
func (h *Hub) blob(w http.ResponseWriter, r *http.Request) {
	if _, err := h.cfg.Auth.VerifyAgent(r.Context(), r); err != nil {
		h.problem(w, r, err)
		return
	}
	select {
	case h.blobs <- struct{}{}:
		defer func() { <-h.blobs }()
	case <-r.Context().Done():
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBlob))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		h.problem(w, r, octopus.Errorf(octopus.CodeTooLarge, "A response is at most 64 MiB."))
		return
	case err != nil:
		return // the agent left
	}
	sum := sha256.Sum256(data)
	sha := chi.URLParam(r, "sha")
	if hex.EncodeToString(sum[:]) != sha {
		h.problem(w, r, octopus.Errorf(octopus.CodeInvalid, "The bytes do not have the SHA-256 that the address names."))
		return
	}
	if err := h.cfg.Store.SaveBlob(r.Context(), sha, data); err != nil {
		h.problem(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // the client may have left
}
