package octopus

import (
	"errors"
	"fmt"
)

// Code tells a machine what kind of failure an [Error] is. The edges (REST, pages, CLI) translate it once.
type Code string

// The codes, with the HTTP status that the REST API answers.
const (
	CodeMalformed       Code = "malformed"       // 400: not understood at all
	CodeUnauthenticated Code = "unauthenticated" // 401: who is calling?
	CodeDenied          Code = "denied"          // 403: known, but not allowed
	CodeNotFound        Code = "not_found"       // 404
	CodeConflict        Code = "conflict"        // 409
	CodeStale           Code = "stale"           // 412: If-Match names an older revision
	CodeTooLarge        Code = "too_large"       // 413
	CodeInvalid         Code = "invalid"         // 422: understood, but fails validation
	CodeTooOld          Code = "too_old"         // 426: the peer speaks a version that is no longer served
	CodeNoUpgrade       Code = "no_upgrade"      // 426: a proxy took the WebSocket out of a request; only agents get it
	CodeRateLimited     Code = "rate_limited"    // 429
	CodeInternal        Code = "internal"        // 500: a bug or a broken disk; details are in the log only
	CodeUnavailable     Code = "unavailable"     // 503: try again later
	CodeNoSpace         Code = "no_space"        // 507: the disk is full
)

// FieldError says what is wrong with one field. Field is a JSON pointer such as "/params/url".
type FieldError struct {
	Field   string
	Message string
}

// Error is a failure that reaches a person: one clear sentence with what to do next, a code for machines, and
// the fields at fault where there are any. It never carries the offending value, SQL or a stack.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
	// RetryAfterSeconds is a hint for unavailable and rate_limited; 0 says nothing.
	RetryAfterSeconds int
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Message }

// Errorf makes an [Error] with a code and a sentence.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes a CodeInvalid error about one field.
func InvalidField(field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Code: CodeInvalid, Message: message, Fields: []FieldError{{Field: field, Message: message}}}
}

// CodeOf returns the code of the first [Error] in err's chain, CodeInternal for any other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// Sentence returns what a person may read of err: the message of its [Error], or a neutral sentence for
// anything that was not made for people.
func Sentence(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "Something went wrong inside Octopus. The server's log has the details."
}
