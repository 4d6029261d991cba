package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"octopus/internal/octopus"
)

// listen opens the server's socket, with TLS where a certificate was given.
func listen(ctx context.Context, cfg Config) (net.Listener, error) {
	ln, err := cfg.Listener, error(nil)
	if ln == nil {
		var lc net.ListenConfig
		ln, err = lc.Listen(ctx, "tcp", cfg.Listen)
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, octopus.Errorf(octopus.CodeConflict,
			"%s is in use by another program. Stop it, or choose another address with --listen.", cfg.Listen)
	case errors.Is(err, os.ErrPermission):
		return nil, octopus.Errorf(octopus.CodeDenied,
			"%s may not be opened by this user. Choose a port above 1023 with --listen.", cfg.Listen)
	case err != nil:
		return nil, octopus.Errorf(octopus.CodeInvalid,
			"%s cannot be listened on: %v. Check --listen.", cfg.Listen, errors.Unwrap(err))
	}
	if cfg.TLSCert == "" {
		return ln, nil
	}
	cert, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, errors.Join(octopus.Errorf(octopus.CodeInvalid,
			"The TLS certificate cannot be used: %v. Check --tls-cert and --tls-key.", err), ln.Close())
	}
	return tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}), nil
}

// urlOf is the URL that a listener answers at from this machine.
func urlOf(ln net.Listener, secure bool) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	addr := ln.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(host, fmt.Sprint(addr.Port)))
}
