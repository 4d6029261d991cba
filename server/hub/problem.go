package hub

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"octopus/internal/octopus"
)

// statusOf is the HTTP status of a code.
var statusOf = map[octopus.Code]int{
	octopus.CodeMalformed:       http.StatusBadRequest,
	octopus.CodeUnauthenticated: http.StatusUnauthorized,
	octopus.CodeDenied:          http.StatusForbidden,
	octopus.CodeNotFound:        http.StatusNotFound,
	octopus.CodeConflict:        http.StatusConflict,
	octopus.CodeStale:           http.StatusPreconditionFailed,
	octopus.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	octopus.CodeInvalid:         http.StatusUnprocessableEntity,
	octopus.CodeTooOld:          http.StatusUpgradeRequired,
	octopus.CodeNoUpgrade:       http.StatusUpgradeRequired,
	octopus.CodeRateLimited:     http.StatusTooManyRequests,
	octopus.CodeInternal:        http.StatusInternalServerError,
	octopus.CodeUnavailable:     http.StatusServiceUnavailable,
	octopus.CodeNoSpace:         http.StatusInsufficientStorage,
}

// problem answers with application/problem+json and one sentence. What was not made for people is logged.
func (h *Hub) problem(w http.ResponseWriter, r *http.Request, err error) {
	code := octopus.CodeOf(err)
	status := statusOf[code]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if code == octopus.CodeInternal {
		h.cfg.Log.Error("agent request failed", "path", r.URL.Path, "err", err)
	}
	var e *octopus.Error
	if errors.As(err, &e) && e.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{ // the client may have left
		"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": octopus.Sentence(err),
	})
}
