package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Check says what the sandbox of this machine is made of, and tries the way to the server step by step (address, proxy,
// DNS, TCP, TLS, nonce, upgrade). It writes a line for each, and stops at the first that fails, with what to do next. The
// error is that step's, for people.
func Check(ctx context.Context, c Config, w io.Writer) error {
	c = c.withDefaults()
	id, known := checkIdentity(c)
	if err := checkSandbox(c, w); err != nil {
		return err
	}
	server := c.Server
	if server == "" {
		server = id.Server
	}
	client, err := link.New(link.Config{Server: server, CAFile: c.CAFile, Insecure: c.Insecure, Version: c.Version})
	if err != nil {
		return failed(w, "address", err, "")
	}
	defer client.Close()
	passed(w, "address", client.Server())
	for _, step := range client.Steps() {
		start := time.Now()
		note, err := step.Do(ctx)
		if err != nil {
			return failed(w, step.Name, err, step.Next)
		}
		passed(w, step.Name, fmt.Sprintf("%s (%s)", note, time.Since(start).Round(100*time.Microsecond)))
	}
	if err := checkWay(ctx, client, c.Transport, id, known, w); err != nil {
		return err
	}
	if !known {
		fmt.Fprintf(w, "This machine is not enrolled yet: %s holds no identity. Start the agent with --token.\n", c.Data)
	}
	return nil
}

// checkIdentity reads the identity without locking the folder: the agent may be running.
func checkIdentity(c Config) (identity, bool) {
	f, err := peekFolder(c.Data)
	if err != nil {
		return identity{}, false
	}
	defer f.root.Close()
	id, known, err := f.identity()
	return id, known && err == nil
}

// checkWay tries the WebSocket, and long polls where the agent would use them.
func checkWay(ctx context.Context, client *link.Client, mode string, id identity, known bool, w io.Writer) error {
	if mode != string(octopus.TransportHTTP) {
		err := checkUpgrade(ctx, client, id, known, w)
		var none *link.NoUpgrade
		if err == nil || mode != transportAuto || !errors.As(err, &none) {
			return err
		}
	}
	const name = "polls"
	err := client.KnockPoll(ctx, link.Identity{Agent: id.Agent, Key: id.key, Incarnation: newIncarnation()}, known)
	if err != nil {
		return failed(w, name, err, "Neither a WebSocket nor a long poll comes through. Let the proxy pass "+wire.PathHeartbeat+".")
	}
	passed(w, name, "the server answers HTTP long polls: the agent uses them")
	return nil
}

// checkUpgrade opens a WebSocket as this agent would. Without an identity a refusal by the hub is all that can be
// had, and proves that the way to it is open.
func checkUpgrade(ctx context.Context, client *link.Client, id identity, known bool, w io.Writer) error {
	const name = "upgrade"
	who := link.Identity{Agent: id.Agent, Key: id.key, Incarnation: newIncarnation()}
	if !known {
		err := client.KnockUnsigned(ctx)
		var refused *link.Refused
		if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
			passed(w, name, "the server asks who is there, as it should before enrolment")
			return nil
		}
		return failed(w, name, err, "The nonce came through but the WebSocket did not: a proxy between here and the server may not pass WebSockets.")
	}
	conn, err := client.Dial(ctx, who)
	var refused *link.Refused
	switch {
	case err == nil:
		conn.Close("check")
		passed(w, name, "the server lets this agent in")
		return nil
	case errors.As(err, &refused) && refused.Status == http.StatusConflict:
		passed(w, name, "this agent is connected already")
		return nil
	case errors.As(err, &refused):
		return failed(w, name, err, "The server was reached and refused this agent. Look at its page there.")
	}
	return failed(w, name, err, "The nonce came through but the WebSocket did not: a proxy between here and the server may not pass WebSockets.")
}

func passed(w io.Writer, step, note string) { fmt.Fprintf(w, "✓ %-8s %s\n", step, note) }

func failed(w io.Writer, step string, err error, next string) error {
	message := strings.TrimSuffix(err.Error(), ".") + "."
	fmt.Fprintf(w, "✗ %-8s %s\n", step, message)
	if next != "" {
		fmt.Fprintf(w, "  Next: %s\n", next)
	}
	var known *octopus.Error
	if errors.As(err, &known) {
		return known
	}
	return &stepError{octopus.Errorf(octopus.CodeUnavailable, "The server cannot be reached: the step %q failed. %s", step, message), err}
}

// stepError is the sentence for people, with what was wrong below it.
type stepError struct{ says, cause error }

func (e *stepError) Error() string   { return e.says.Error() }
func (e *stepError) Unwrap() []error { return []error{e.says, e.cause} }
