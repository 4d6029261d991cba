package broker

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"time"
)

// tlsFacts is what a connection tells of its peer's certificates, leaf first.
type tlsFacts struct {
	Version      string        `json:"version"`
	Cipher       string        `json:"cipher"`
	ALPN         string        `json:"alpn,omitempty"`
	ServerName   string        `json:"server_name"`
	Verified     bool          `json:"verified"`
	VerifyError  string        `json:"verify_error,omitempty"`
	Certificates []certificate `json:"certificates"`
}

type certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	DNSNames  []string  `json:"dns_names"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
	Serial    string    `json:"serial,omitempty"`
}

func factsOf(state tls.ConnectionState, serverName string) *tlsFacts {
	f := &tlsFacts{
		Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite),
		ALPN: state.NegotiatedProtocol, ServerName: serverName, Verified: len(state.VerifiedChains) > 0,
		Certificates: []certificate{},
	}
	for _, c := range state.PeerCertificates {
		sum := sha256.Sum256(c.Raw)
		names := c.DNSNames
		if names == nil {
			names = []string{}
		}
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
		f.Certificates = append(f.Certificates, certificate{
			Subject: c.Subject.String(), Issuer: c.Issuer.String(), DNSNames: names,
			NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
			SHA256: hex.EncodeToString(sum[:]), Serial: c.SerialNumber.Text(16),
		})
	}
	return f
}

// verify checks a chain after the fact: a probe reports bad certificates instead of failing on them.
func (f *tlsFacts) verify(state tls.ConnectionState, roots *x509.CertPool) {
	if len(state.PeerCertificates) == 0 {
		f.VerifyError = "the server sent no certificate"
		return
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: f.ServerName, Roots: roots, Intermediates: between,
	})
	if f.Verified = err == nil; err != nil {
		f.VerifyError = err.Error()
	}
}
