package spec

import (
	"encoding/json"
	"net/http"
)

// Types of Operation.
const (
	OpCache = "cache"
	OpFile  = "file"
	OpDB    = "db"
)

// Codes of ResponseError that the host makes. A plugin may use any other.
const (
	CodeTrap            = "trap"
	CodeException       = "exception"
	CodeInvalidResponse = "invalid_response"
	CodeTimeout         = "timeout"
	CodeOutOfFuel       = "out_of_fuel"
	CodeOutputLimit     = "output_limit"
	CodeMemoryLimit     = "memory_limit"
	CodeDenied          = "denied"
	CodeDigestMismatch  = "digest_mismatch"
	CodeUntrusted       = "untrusted" // the module's signature
	CodeCancelled       = "cancelled"
	CodeRefused         = "refused"
	CodeSandbox         = "sandbox_failed"
	CodeUnavailable     = "module_unavailable" // the agent could not fetch it
)

// DefaultCacheTTL is the ttl_seconds of a cache operation that names none.
const DefaultCacheTTL = 3600

// Response is what a plugin prints on standard output: status_code, message
// and data are the core, the rest is optional.
type Response struct {
	StatusCode int                `json:"status_code"`
	Message    string             `json:"message"`
	Data       []Operation        `json:"data,omitempty"`
	Result     json.RawMessage    `json:"result,omitempty"`
	Metrics    map[string]float64 `json:"metrics,omitempty"`
	Error      *ResponseError     `json:"error,omitempty"`
}

// Operation is one thing that the host does for a plugin that succeeded.
type Operation struct {
	// Type is OpCache, OpFile or OpDB.
	Type  string          `json:"type"`
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	// TTLSeconds is for cache operations. Defaults to DefaultCacheTTL.
	TTLSeconds int `json:"ttl_seconds,omitempty"`
	// Encoding is for file operations: json (default), utf8 or base64.
	Encoding string `json:"encoding,omitempty"`
}

// ResponseError says what went wrong, for machines.
type ResponseError struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
	// Retryable wins over what the status code implies.
	Retryable         *bool           `json:"retryable,omitempty"`
	RetryAfterSeconds float64         `json:"retry_after_seconds,omitempty"`
	Details           json.RawMessage `json:"details,omitempty"`
}

// Failure makes the response that the host gives in a plugin's place.
func Failure(status int, code, message string) Response {
	return Response{StatusCode: status, Message: message, Error: &ResponseError{Code: code}}
}

// Succeeded says whether the status code is 2xx.
func (r Response) Succeeded() bool { return r.StatusCode >= 200 && r.StatusCode <= 299 }

// MayRetry says whether trying again could help: the response's own word
// first, else 408, 425, 429 and 5xx.
func (r Response) MayRetry() bool {
	if r.Error != nil && r.Error.Retryable != nil {
		return *r.Error.Retryable
	}
	switch r.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return r.StatusCode >= 500 && r.StatusCode <= 599
}
