package hub

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// refusedWindow is how long the same complaint of the same agent is one line in a plugin's history.
const refusedWindow = time.Hour

// keys says with which keys the server signs. It is public: agents believe only what a key that they pinned endorses.
func (h *Hub) keys(w http.ResponseWriter, r *http.Request) {
	keys, err := h.cfg.Catalog.Keys(r.Context())
	if err != nil {
		h.problem(w, r, err)
		return
	}
	answer(w, http.StatusOK, wire.Keys{Keys: keys})
}

// newestKey is the key that a new agent pins, nil where nothing is signed.
func (h *Hub) newestKey(ctx context.Context) []byte {
	keys, err := h.cfg.Catalog.Keys(ctx)
	if err != nil {
		h.cfg.Log.Warn("the server's keys cannot be read: an agent enrolls without", "err", err)
		return nil
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if !keys[i].Retired {
			return keys[i].Key
		}
	}
	return nil
}

// module gives out a plugin's bytes, with what the server signed of them. The agent verifies both.
func (h *Hub) module(w http.ResponseWriter, r *http.Request) {
	agent, err := h.cfg.Auth.VerifyAgent(r.Context(), r)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	digest := chi.URLParam(r, "digest")
	module, err := h.cfg.Catalog.Module(r.Context(), digest)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	signed, err := h.cfg.Catalog.Signed(r.Context(), digest)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	h.noteFetch(r, agent, signed)
	if len(signed.Signatures) > 0 {
		w.Header().Set(wire.HeaderSigned, signed.Header())
	}
	w.Header().Set("Content-Type", "application/wasm")
	w.Header().Set("ETag", strconv.Quote(digest))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(module))
}

// noteFetch counts a download, and writes down why an agent would not load the copy that it had.
func (h *Hub) noteFetch(r *http.Request, agent octopus.Agent, m wire.SignedModule) {
	if err := h.cfg.Store.NoteFetch(r.Context(), m.Digest, agent.ID); err != nil && r.Context().Err() == nil {
		h.cfg.Log.Warn("download of a module not counted", "agent", agent.Name, "err", err)
	}
	why, err := url.PathUnescape(r.Header.Get(wire.HeaderRefused))
	if err != nil || why == "" {
		return
	}
	why = strings.ToValidUTF8(clip(why, 300), "")
	h.cfg.Log.Warn("an agent refused a module", "agent", agent.Name, "plugin", m.Plugin, "version", m.Version, "because", why)
	event := octopus.PluginEvent{
		Plugin: m.Plugin, Version: m.Version, Digest: m.Digest, Kind: octopus.PluginModuleRefused, Actor: agent.Name, Message: why,
	}
	if err := h.cfg.Store.AddPluginEvent(r.Context(), event, refusedWindow); err != nil && r.Context().Err() == nil {
		h.cfg.Log.Warn("refused module not written down", "agent", agent.Name, "err", err)
	}
}
