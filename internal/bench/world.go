package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"octopus/sdk"
)

// World is a server of a load's own in a folder, and at most one agent: separate processes, as in real life. One
// goroutine uses it at a time.
type World struct {
	// URL is where the server answers, Token its administrator's API token, JoinToken lets agents enrol.
	URL, Token, JoinToken string
	// Ready is how long the last start took, from the start of the process to its address.
	Ready time.Duration

	options WorldOptions
	flags   []string // of the server
	server  *exec.Cmd
	worker  *exec.Cmd
}

// WorldOptions says how a [World] is made.
type WorldOptions struct {
	// Binary is the octopus executable. Defaults to this process's own.
	Binary string
	// Folder is where everything is kept. Required; the caller removes it.
	Folder string
	// TLS makes a certificate for loopback.
	TLS bool
	// Env is added to the environment of the processes.
	Env []string
	// Log receives what the processes write. Defaults to this process's standard error.
	Log io.Writer
}

// OwnServer makes a server's folder and starts the server. Stop ends it.
func OwnServer(ctx context.Context, o WorldOptions) (*World, error) {
	var err error
	if o.Binary == "" {
		if o.Binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	w := &World{options: o}
	if err := os.MkdirAll(w.Data(), 0o700); err != nil {
		return nil, err
	}
	if o.TLS {
		if w.flags, err = certificate(o.Folder); err != nil {
			return nil, err
		}
	}
	made, err := exec.CommandContext(ctx, o.Binary, "bootstrap", "--data", w.Data(), "--admin", "bench", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	var secrets struct {
		APIToken  string `json:"api_token"`
		JoinToken string `json:"join_token"`
	}
	if err := json.Unmarshal(made, &secrets); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	w.Token, w.JoinToken = secrets.APIToken, secrets.JoinToken
	return w, w.Serve(ctx)
}

// Data is the server's folder.
func (w *World) Data() string { return filepath.Join(w.options.Folder, "server") }

// ServerPID is the server's process.
func (w *World) ServerPID() int { return w.server.Process.Pid }

// AgentPID is the agent's process.
func (w *World) AgentPID() int { return w.worker.Process.Pid }

// Serve starts the server, at the address that it had, and returns when it says where it answers.
func (w *World) Serve(ctx context.Context) error {
	listen := "127.0.0.1:0"
	if u, err := url.Parse(w.URL); err == nil && u.Host != "" {
		listen = u.Host
	}
	begun := time.Now()
	args := append([]string{"server", "--listen", listen, "--data", w.Data(), "--grant-builtins", "--log-level", "warn"}, w.flags...)
	cmd := w.command(ctx, args)
	errs, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.server = cmd
	lines := bufio.NewScanner(errs)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if _, address, ok := strings.Cut(lines.Text(), " answers at "); ok {
			w.URL, w.Ready = strings.TrimSpace(address), time.Since(begun)
			go io.Copy(w.options.Log, errs) //nolint:errcheck // ends with the process, whose pipe it is
			return nil
		}
	}
	return fmt.Errorf("the server did not start: %s", strings.Join(said, "\n"))
}

func (w *World) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.options.Binary, args...)
	cmd.Env = append(os.Environ(), w.options.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Restart stops the server cleanly and starts it on the same database.
func (w *World) Restart(ctx context.Context) error {
	end(w.server)
	return w.Serve(ctx)
}

// StopServer ends the server cleanly. Serve starts it again.
func (w *World) StopServer() { end(w.server) }

// Kill ends the server as a crash does. Serve starts it again.
func (w *World) Kill() {
	w.server.Process.Kill()
	_ = w.server.Wait() // it was killed
}

// Agent starts an agent with so many slots (0: the agent's default) and returns when it is online.
func (w *World) Agent(ctx context.Context, slots int) error {
	args := []string{
		"agent", "--server", w.URL, "--token", w.JoinToken, "--name", "worker",
		"--data", filepath.Join(w.options.Folder, "agent"), "--log-level", "warn",
	}
	if slots > 0 {
		args = append(args, "--slots", strconv.Itoa(slots))
	}
	if w.options.TLS {
		args = append(args, "--ca-file", filepath.Join(w.options.Folder, certFile))
	}
	cmd := w.command(ctx, args)
	cmd.Stderr = w.options.Log
	if err := cmd.Start(); err != nil {
		return err
	}
	w.worker = cmd
	return w.Until(ctx, time.Minute, func(o sdk.Overview) bool { return o.AgentsUp == 1 })
}

// Until polls the overview until it is good.
func (w *World) Until(ctx context.Context, limit time.Duration, good func(sdk.Overview) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := sdk.New(w.URL, w.Token, sdk.WithHTTPClient(httpClient(1, w.options.TLS)))
	defer c.Close()
	for {
		o, err := c.Overview(ctx)
		if err == nil && good(o) {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("not within %s: %d agents online, error %w", limit, o.AgentsUp, err)
		}
	}
}

// Stop ends the agent, then the server.
func (w *World) Stop() {
	end(w.worker)
	end(w.server)
}

func end(p *exec.Cmd) {
	if p != nil && p.Process != nil && p.ProcessState == nil {
		_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = p.Wait()                          // how it ended does not matter
	}
}
