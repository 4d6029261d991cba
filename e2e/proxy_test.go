//go:build linux

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// TestBehindNginx runs the configuration of docs/proxies.md: an agent connects through TLS at nginx, work reaches
// it, and its log is followed through the proxy while it is written.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("OCTOPUS_CI") != "" {
			t.Fatal("nginx is not installed")
		}
		t.Skip("SKIPPED: the proxy test needs nginx")
	}
	folder := t.TempDir()
	cert, key := certificate(t, folder)
	behind, front := harness.FreeAddress(t), harness.FreeAddress(t)
	startNginx(t, program, folder, strings.NewReplacer(
		"server 127.0.0.1:8080;", "server "+behind+";",
		"listen 443 ssl;", "listen "+front+" ssl;",
		"octopus.example.com;", "localhost;",
		"/etc/letsencrypt/live/octopus.example.com/fullchain.pem", cert,
		"/etc/letsencrypt/live/octopus.example.com/privkey.pem", key,
	))

	w := harness.NewAt(t, behind, "--public-url", "https://"+front)
	p := w.Agent("web-01", "--ca-file", cert)
	roots := x509.NewCertPool()
	pemBytes, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(pemBytes)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	client := sdk.New("https://"+front, w.Admin.APIToken, sdk.WithHTTPClient(&http.Client{Transport: transport}))

	run := w.Running(echo(map[string]any{"message": "through the proxy", "delay_seconds": 2, "log_lines": 20}))
	lines, live := 0, 0
	err = client.FollowLogs(t.Context(), run.Executions[0].ID, 0, func(l sdk.LogLine) error {
		if l.End {
			return nil
		}
		lines++
		if time.Since(l.Time) < time.Second {
			live++
		}
		return nil
	})
	if err != nil || lines != 20 || live == 0 {
		t.Errorf("%d lines, %d of them live, %v", lines, live, err)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("agent's exit code %d", code)
	}
}

// startNginx runs the shipped configuration with its addresses replaced, until the test ends.
func startNginx(t *testing.T, program, folder string, replace *strings.Replacer) {
	t.Helper()
	snippet, err := os.ReadFile("../deploy/proxy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "nginx.conf")
	main := "daemon off;\npid " + folder + "/pid;\nerror_log " + folder + "/error.log;\nevents {}\nhttp {\naccess_log off;\n" +
		"client_body_temp_path " + folder + "/body;\nproxy_temp_path " + folder + "/proxy;\nfastcgi_temp_path " + folder + "/fastcgi;\n" +
		"uwsgi_temp_path " + folder + "/uwsgi;\nscgi_temp_path " + folder + "/scgi;\n" + replace.Replace(string(snippet)) + "}\n"
	if err := os.WriteFile(config, []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", folder, "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
}

// certificate writes a self-signed certificate for loopback and returns the paths of it and its key.
func certificate(t *testing.T, folder string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "octopus test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
