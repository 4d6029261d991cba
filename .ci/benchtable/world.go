package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"octopus/sdk"
)

// world is one server in a folder, and at most one agent.
type world struct {
	binary, folder string
	flags          []string // of the server
	admin          struct {
		APIToken  string `json:"api_token"`
		JoinToken string `json:"join_token"`
	}
	server, worker *exec.Cmd
	url            string
	caFile         string
	ready          time.Duration // from the start of the process to its address
}

func start(ctx context.Context, binary, folder string, withTLS bool) (*world, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	w := &world{binary: binary, folder: folder}
	if withTLS {
		if err := w.certificate(); err != nil {
			return nil, err
		}
	}
	made, err := exec.CommandContext(ctx, binary, "bootstrap", "--data", filepath.Join(folder, "server"), "--admin", "bench", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if err := decode(made, &w.admin); err != nil {
		return nil, err
	}
	return w, w.serve(ctx, "127.0.0.1:0")
}

// serve starts the server and returns when it says where it answers.
func (w *world) serve(ctx context.Context, listen string) error {
	begun := time.Now()
	args := append([]string{"server", "--listen", listen, "--data", filepath.Join(w.folder, "server"), "--grant-builtins", "--log-level", "warn"}, w.flags...)
	w.server = exec.CommandContext(ctx, w.binary, args...)
	errs, err := w.server.StderrPipe()
	if err != nil {
		return err
	}
	if err := w.server.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(errs)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if _, address, ok := strings.Cut(lines.Text(), " answers at "); ok {
			w.url, w.ready = strings.TrimSpace(address), time.Since(begun)
			go func() { _, _ = io.Copy(os.Stderr, errs) }()
			return nil
		}
	}
	return fmt.Errorf("the server did not start: %s", strings.Join(said, "\n"))
}

// restart stops the server cleanly and starts it on the same database.
func (w *world) restart(ctx context.Context) error {
	_ = w.server.Process.Signal(syscall.SIGTERM)
	_ = w.server.Wait()
	return w.serve(ctx, "127.0.0.1:0")
}

// agent starts an agent and returns when it is online.
func (w *world) agent(ctx context.Context) error {
	w.worker = exec.CommandContext(ctx, w.binary, "agent", "--server", w.url, "--token", w.admin.JoinToken, "--name", "worker",
		"--slots", "64", "--data", filepath.Join(w.folder, "agent"), "--log-level", "warn")
	w.worker.Stderr = os.Stderr
	if err := w.worker.Start(); err != nil {
		return err
	}
	return w.until(ctx, 60*time.Second, func(o sdk.Overview) bool { return o.AgentsUp == 1 })
}

// until polls the overview.
func (w *world) until(ctx context.Context, limit time.Duration, good func(sdk.Overview) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := sdk.New(w.url, w.admin.APIToken)
	defer c.Close()
	for {
		o, err := c.Overview(ctx)
		if err == nil && good(o) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %d agents online, error %v", limit, o.AgentsUp, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// command is `octopus bench` with this world's context.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.binary, append([]string{"bench"}, args...)...)
	cmd.Env = append(os.Environ(), "OCTOPUS_URL="+w.url, "OCTOPUS_API_TOKEN="+w.admin.APIToken)
	if w.caFile != "" {
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+w.caFile)
	}
	return cmd
}

func (w *world) bench(ctx context.Context, into any, args ...string) error {
	fmt.Fprintf(os.Stderr, "octopus bench %s\n", strings.Join(args, " "))
	var errs bytes.Buffer
	cmd := w.command(ctx, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("octopus bench %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return decode(out, into)
}

// crash kills the server under n agents, starts it again after 5 s, and measures until all are back.
func (w *world) crash(ctx context.Context, n int) (time.Duration, error) {
	fmt.Fprintf(os.Stderr, "killing the server under %d agents\n", n)
	ctx, cancel := context.WithCancel(ctx)
	load := w.command(ctx, "agents", "-n", strconv.Itoa(n), "--hold", "10m")
	if err := load.Start(); err != nil {
		cancel()
		return 0, err
	}
	defer func() { _ = load.Wait() }()
	defer cancel()
	if err := w.until(ctx, 5*time.Minute, func(o sdk.Overview) bool { return o.AgentsUp == n }); err != nil {
		return 0, err
	}
	address := strings.TrimPrefix(w.url, "http://")
	_ = w.server.Process.Kill()
	_ = w.server.Wait()
	time.Sleep(5 * time.Second)
	if err := w.serve(ctx, address); err != nil {
		return 0, err
	}
	ready := time.Now()
	err := w.until(ctx, 3*time.Minute, func(o sdk.Overview) bool { return o.AgentsUp == n })
	return time.Since(ready), err
}

func (w *world) stop() {
	for _, p := range []*exec.Cmd{w.worker, w.server} {
		if p != nil && p.Process != nil {
			_ = p.Process.Signal(syscall.SIGTERM)
			_ = p.Wait()
		}
	}
}

// certificate makes a certificate for loopback.
func (w *world) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "octopus bench"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	w.caFile = filepath.Join(w.folder, "cert.pem")
	keyFile := filepath.Join(w.folder, "key.pem")
	if err := os.WriteFile(w.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	w.flags = []string{"--tls-cert", w.caFile, "--tls-key", keyFile}
	return os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}
