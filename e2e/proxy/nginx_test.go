// Package proxy_test runs Octopus behind the proxies that docs/proxies.md describes.
package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// TestNginx starts deploy/proxy/nginx.conf as it is, but for addresses and certificates: an agent connects through
// it, a run started through it ends, and its events and log lines arrive as they happen.
func TestNginx(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	t.Parallel()
	folder := t.TempDir()
	outside := harness.FreeAddress(t)
	w := harness.New(t, "--public-url", "https://"+outside)
	inside := listening(t, w.Server)
	roots := certificate(t, folder)
	startNginx(t, nginx, folder, outside, inside)

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	w.Client = sdk.New(w.URL, w.Admin.APIToken, sdk.WithHTTPClient(&http.Client{Transport: transport}))
	w.Until("nginx answers", func(ctx context.Context) bool { _, err := w.Client.Me(ctx); return err == nil })
	w.Agent("behind-nginx", "--ca-file", filepath.Join(folder, "cert.pem"))

	start := func(seconds, lines int) sdk.StartRun {
		return sdk.StartRun{Work: sdk.Work{Plugin: "echo", Action: "echo",
			Params: sdk.JSON(map[string]any{"message": "through nginx", "delay_seconds": seconds, "log_lines": lines})}}
	}
	run, err := w.Client.StartRun(t.Context(), start(800, 800)) // until it is cancelled
	if err != nil {
		t.Fatal(err)
	}
	event := firstEvent(t, w.Client, "run:"+run.ID)
	line := firstLine(t, w.Client, run.Executions[0].ID)
	if now, err := w.Client.Run(t.Context(), run.ID); err != nil || now.Ended() {
		t.Errorf("an event (%s) and a log line (%q) came when the run was over: nginx holds streams back; error %v", event, line, err)
	}
	if _, err := w.Client.CancelRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	if run := w.Ended(run.ID); run.Status != "cancelled" {
		t.Errorf("what was cancelled %s", run.Status)
	}
	if run := w.Run(start(1, 3)); run.Status != "succeeded" {
		t.Errorf("the run %s", run.Status)
	}
}

// listening reads the address that the server itself listens on.
func listening(t *testing.T, server *harness.Process) string {
	t.Helper()
	line := server.WaitLine("listens on ")
	m := regexp.MustCompile(`listens on (\S+)`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no address in %q", line)
	}
	return m[1]
}

// startNginx runs the documented file below a main configuration that keeps everything in one folder.
func startNginx(t *testing.T, nginx, folder, outside, inside string) {
	t.Helper()
	site, err := os.ReadFile(filepath.Join("..", "..", "deploy", "proxy", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"listen 443 ssl;", "listen "+outside+" ssl;",
		"server 127.0.0.1:8080;", "server "+inside+";",
		"/etc/letsencrypt/live/octopus.example.com/fullchain.pem", filepath.Join(folder, "cert.pem"),
		"/etc/letsencrypt/live/octopus.example.com/privkey.pem", filepath.Join(folder, "key.pem"),
	).Replace(string(site))
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	main := user + "daemon off;\npid nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n" +
		"client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n" +
		text + "\n}\n"
	file := filepath.Join(folder, "main.conf")
	if err := os.WriteFile(file, []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", folder, "-c", file, "-e", "stderr")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // its fast shutdown
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s", said.String())
		}
	})
}

// firstEvent waits for one event of a topic.
func firstEvent(t *testing.T, c *sdk.Client, topic string) (name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	err := c.Events(ctx, []string{topic}, func(e sdk.ServerEvent) error {
		name = e.Name
		return errEnough
	})
	if name == "" {
		t.Fatalf("no event came: %v", err)
	}
	return name
}

// firstLine waits for one log line.
func firstLine(t *testing.T, c *sdk.Client, execution string) (text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	err := c.FollowLogs(ctx, execution, 0, func(l sdk.LogLine) error {
		text = l.Text
		return errEnough
	})
	if text == "" {
		t.Fatalf("no log line came: %v", err)
	}
	return text
}

type enough struct{}

func (enough) Error() string { return "enough" }

var errEnough = enough{}

// certificate writes a certificate for loopback, and returns who to trust.
func certificate(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(parsed)
	return roots
}
