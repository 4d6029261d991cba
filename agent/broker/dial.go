package broker

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/idna"

	"octopus/sdk/spec"
)

// dialer makes connections that end only at addresses that both grant and policy allow. The check is on the
// address that is about to be connected to, after the name was resolved: no name, redirect or answer of a name
// server gets around it.
func (b *Broker) dialer(what string, granted, owner []string) *net.Dialer {
	if len(granted) == 0 {
		granted = []string{spec.Public}
	}
	return &net.Dialer{
		Timeout:  10 * time.Second,
		Resolver: b.config.Resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return b.notGranted(what + " to " + address)
			}
			if !spec.AddressAllowed(to.Addr(), granted) {
				return b.notGranted(what + " to the address " + to.Addr().Unmap().String() +
					" (granted are " + strings.Join(granted, ", ") + ")")
			}
			if owner != nil && !spec.AddressAllowed(to.Addr(), owner) {
				return b.notAllowed(what + " to the address " + to.Addr().Unmap().String())
			}
			return nil
		},
	}
}

// asciiHost brings a host into the form in which it is compared and dialled; "" where it cannot be one.
func asciiHost(host string) string {
	host = strings.TrimSuffix(host, ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return ""
		}
		return addr.Unmap().String()
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Names with underscores are common inside companies, though no IDNA profile has them.
		if strings.ContainsFunc(host, func(r rune) bool { return r > 0x7e || r <= ' ' || strings.ContainsRune(`/\?#@:%[]`, r) }) {
			return ""
		}
		return strings.ToLower(host)
	}
	return strings.ToLower(ascii)
}

// within bounds an operation's own timeout, given in seconds (0: the default), by most.
func within(seconds float64, normal, most time.Duration) (time.Duration, *Error) {
	switch {
	case seconds < 0 || seconds != seconds:
		return 0, invalid("timeout_seconds", "it must be a positive number.")
	case seconds == 0:
		return normal, nil
	case seconds >= most.Seconds():
		return most, nil
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// roots are the certificates to trust; nil means the system's.
func (b *Broker) roots() (*x509.CertPool, *Error) {
	if b.config.RootsFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(b.config.RootsFile)
	if err != nil {
		return nil, errorf("internal", "The agent's file of certificate roots cannot be read.")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	return pool, nil
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
