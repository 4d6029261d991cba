package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// Error is a refusal or a failure as the guest sees it: a code for machines and a sentence for people.
type Error struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable,omitempty"`
}

// Error is the sentence.
func (e *Error) Error() string { return e.Message }

// ErrUnavailable says that the server cannot be asked now.
var ErrUnavailable = errorf("unavailable", "The server cannot be reached now. Try again later.")

func errorf(code, format string, args ...any) *Error {
	e := &Error{Code: code, Message: fmt.Sprintf(format, args...)}
	switch code {
	case "timeout", "refused", "unreachable", "unavailable", "rate_limited", "dns":
		e.Retryable = true
	}
	return e
}

// invalid names the field at fault.
func invalid(field, format string, args ...any) *Error {
	return errorf("invalid_request", "%s: %s", field, fmt.Sprintf(format, args...))
}

// notGranted says that an administrator could allow something.
func (b *Broker) notGranted(what string) *Error {
	return errorf("denied", "%s is not granted to %s. An administrator can grant it on the plugin's page.", what, b.plugin())
}

// notAllowed says that only the owner of this agent could.
func (b *Broker) notAllowed(what string) *Error {
	return errorf("denied", "The owner of this agent does not allow %s. It is set in the agent's policy file.", what)
}

func (b *Broker) plugin() string {
	if b.config.Plugin == "" {
		return "this plugin"
	}
	return b.config.Plugin
}

// network puts a failed connection into words.
func network(ctx context.Context, target string, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return nameError(dns)
	case errors.Is(err, context.Canceled) || errors.Is(context.Cause(ctx), context.Canceled):
		return errorf("cancelled", "The execution is being cancelled.")
	case isTimeout(err):
		return errorf("timeout", "%s did not answer in time.", target)
	case errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "actively refused"):
		return errorf("refused", "%s refused the connection.", target)
	case isTLS(err):
		return errorf("tls", "%s: %s.", target, plain(err))
	}
	return errorf("unreachable", "%s cannot be reached: %s.", target, plain(err))
}

func nameError(dns *net.DNSError) *Error {
	switch {
	case dns.IsNotFound:
		return errorf("dns", "There is no address for the name %s.", dns.Name)
	case dns.IsTimeout:
		return errorf("dns", "The name %s could not be looked up: the name server did not answer.", dns.Name)
	}
	return errorf("dns", "The name %s could not be looked up: %s.", dns.Name, dns.Err)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		host   x509.HostnameError
		bad    x509.CertificateInvalidError
		who    x509.UnknownAuthorityError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &host) ||
		errors.As(err, &bad) || errors.As(err, &who) || strings.Contains(err.Error(), "tls: ")
}

// plain is the innermost message: without "Get "https://…": dial tcp …".
func plain(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return strings.TrimSuffix(err.Error(), ".")
		}
		err = inner
	}
}
