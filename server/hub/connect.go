package hub

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// connect verifies an agent, upgrades its connection and returns: the connection lives on in a goroutine of its
// own, so that the request, its buffers and its stack are free. Every refusal comes before the upgrade.
func (h *Hub) connect(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		h.problem(w, r, octopus.Errorf(octopus.CodeNoUpgrade, "The request did not arrive as one for a WebSocket: a proxy before this server does not pass it on."))
		return
	}
	agent, err := h.check(r)
	if err != nil {
		h.turnAway(w, r, agent, err)
		return
	}
	lean := &leanWriter{ResponseWriter: w}
	ws, err := websocket.Accept(lean, r, &websocket.AcceptOptions{
		Subprotocols: []string{wire.Subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(wire.MaxFrame)
	c := &conn{
		hub: h, pipe: &socket{ws, lean.conn}, agent: agent, incarnation: r.Header.Get(wire.HeaderIncarnation),
		remote: h.cfg.Auth.ClientIP(r), jobs: h.shard(agent.ID),
	}
	if !h.add(c) {
		ws.Close(wire.CloseDrain, "The server is stopping.")
		return
	}
	go c.run()
}

// turnAway answers a refusal and notes it at the agent, where that is known.
func (h *Hub) turnAway(w http.ResponseWriter, r *http.Request, agent octopus.Agent, err error) {
	if code := octopus.CodeOf(err); agent.ID != "" && code != octopus.CodeUnavailable && code != octopus.CodeStale {
		h.note(agent.ID, octopus.Sentence(err))
	}
	h.problem(w, r, err)
}

// gate refuses callers that are no agents of today.
func gate(r *http.Request) error {
	if r.Header.Get("Origin") != "" {
		return octopus.Errorf(octopus.CodeDenied, "This address is for agents: a web page cannot connect to it.")
	}
	version, err := strconv.Atoi(r.Header.Get(wire.HeaderVersion))
	if err != nil || version < wire.Version-2 || version < 1 {
		return octopus.Errorf(octopus.CodeTooOld, "%s", tooOld(version))
	}
	return nil
}

// check decides whether the caller may connect. The agent comes with the error where it is known.
func (h *Hub) check(r *http.Request) (octopus.Agent, error) {
	if err := gate(r); err != nil {
		return octopus.Agent{}, err
	}
	if err := h.roomFor(); err != nil {
		return octopus.Agent{}, err
	}
	defer h.admit.leave()
	agent, err := h.cfg.Auth.VerifyAgent(r.Context(), r)
	if err != nil {
		return agent, err
	}
	return agent, h.single(agent, r.Header.Get(wire.HeaderIncarnation))
}

func tooOld(version int) string {
	return fmt.Sprintf("The agent speaks version %d of the protocol and this server versions %d to %d. Update the agent.", version, max(wire.Version-2, 1), wire.Version)
}

// roomFor holds back what comes faster than can be let in. Without an error the caller ends it with h.admit.leave.
func (h *Hub) roomFor() error {
	h.mu.Lock()
	draining := h.draining
	h.mu.Unlock()
	if draining {
		return stopping()
	}
	after, ok := h.admit.enter(time.Now())
	if ok {
		return nil
	}
	e := octopus.Errorf(octopus.CodeUnavailable, "Too many agents connect at once. Come back in a moment.")
	e.RetryAfterSeconds = after
	return e
}

func stopping() error {
	e := octopus.Errorf(octopus.CodeUnavailable, "The server is stopping. Come back in a moment.")
	e.RetryAfterSeconds = 2
	return e
}

// single refuses a second machine with the same key while the first one answers. The same process takes over at
// once: its older connection is dead and does not know it yet.
func (h *Hub) single(agent octopus.Agent, incarnation string) error {
	h.mu.Lock()
	present := h.agents[agent.ID]
	h.mu.Unlock()
	if present == nil || present.incarnation == incarnation || !present.pipe.alive(h.cfg.PingWithin) {
		return nil
	}
	return octopus.Errorf(octopus.CodeConflict, "%s runs on two machines: the other one is connected from %s. Stop one, or enrol it with a token of its own.", agent.Name, present.remote)
}

// note keeps the reason of a refusal with its agent, for the agents page.
func (h *Hub) note(agentID, reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.cfg.Store.NoteRefusal(ctx, agentID, clip(reason, 300)); err != nil {
		h.cfg.Log.Warn("refusal not noted", "agent", agentID, "err", err)
	}
}
