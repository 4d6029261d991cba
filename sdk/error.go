package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Error is a refusal by the server. Message is one sentence for a person; Code is for programs: malformed,
// unauthenticated, denied, not_found, conflict, stale, too_large, invalid, too_old, rate_limited, internal,
// unavailable or no_space.
type Error struct {
	Status     int // of HTTP
	Code       string
	Message    string
	Fields     []FieldProblem // what is wrong, field by field
	RetryAfter time.Duration  // when to try again; 0 says nothing
	RequestID  string         // finds the request in the server's log
}

// Error returns the sentence, with the fields that it does not already tell.
func (e *Error) Error() string {
	text := e.Message
	for _, f := range e.Fields {
		if !strings.Contains(text, f.Message) {
			text += fmt.Sprintf(" %s: %s", f.Field, f.Message)
		}
	}
	return text
}

// IsNotFound reports whether err says that something does not exist.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict reports whether err is a conflict: it exists already, has ended already, or a key was used before.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsDenied reports whether err says that the caller is unknown or may not do this.
func IsDenied(err error) bool {
	return hasStatus(err, http.StatusUnauthorized) || hasStatus(err, http.StatusForbidden)
}

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// maxProblem bounds what is read of a refusal.
const maxProblem = 1 << 20

// readError turns an answer that is not a success into an Error and closes its body. A proxy's answer in
// another format becomes a sentence that says where it came from.
func readError(res *http.Response) *Error {
	defer drain(res.Body)
	e := &Error{Status: res.StatusCode, RetryAfter: retryAfter(res.Header.Get("Retry-After"))}
	var p Problem
	data, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err == nil && strings.Contains(res.Header.Get("Content-Type"), "json") && json.Unmarshal(data, &p) == nil && p.Detail != "" {
		e.Code, e.Message, e.Fields, e.RequestID = p.Code, p.Detail, p.Errors, p.RequestID
		return e
	}
	e.Message = fmt.Sprintf("%s answered %s to %s %s, which is not an answer of Octopus. Is there a proxy in between?",
		res.Request.URL.Host, res.Status, res.Request.Method, res.Request.URL.Path)
	return e
}
