package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"time"

	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// identify finds out who this agent is, enrolling it first where the data folder holds no identity.
func (a *Agent) identify(ctx context.Context) error {
	id, known, err := a.folder.identity()
	if err != nil {
		return err
	}
	server := a.config.Server
	if server == "" {
		server = id.Server
	}
	a.client, err = link.New(link.Config{
		Server: server, CAFile: a.config.CAFile, Insecure: a.config.Insecure, Version: a.config.Version,
	})
	if err != nil {
		return err
	}
	if !known {
		if id, err = a.enrol(ctx); err != nil {
			return err
		}
	}
	a.id = id
	a.trust = newTrust(id, a.client.Keys, a.folder, a.config.Log)
	return nil
}

// enrol registers this agent's own key with a join token. It tries again while the server cannot be reached, so
// that a machine may start before its server, and gives up with the server's sentence when it is refused.
func (a *Agent) enrol(ctx context.Context) (identity, error) {
	token, err := a.token()
	if err != nil {
		return identity{}, err
	}
	key, err := a.folder.newKey()
	if err != nil {
		return identity{}, err
	}
	request := wire.Enrol{
		Token: token, PublicKey: key.Public().(ed25519.PublicKey), Name: a.config.Name, Labels: a.config.Labels,
		Facts: a.facts(),
	}
	var backoff link.Backoff
	for {
		answer, err := a.client.Enrol(ctx, request)
		if err == nil {
			id := identity{Agent: answer.Agent, Name: answer.Name, Server: a.client.Server(), ServerKey: answer.ServerKey, key: key}
			a.config.Log.Info("enrolled", "agent", id.Agent, "name", id.Name, "server", id.Server)
			return id, a.folder.saveIdentity(id)
		}
		if final := finalRefusal(err); final != nil {
			return identity{}, final
		}
		wait := backoff.Next(err, 0, link.Window{})
		a.config.Log.Warn("not enrolled yet", "err", err, "next_try", wait.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return identity{}, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// finalRefusal is the sentence of a refusal that waiting does not change, nil for anything else.
func finalRefusal(err error) error {
	var known *octopus.Error
	if errors.As(err, &known) {
		return known
	}
	var refused *link.Refused
	if !errors.As(err, &refused) || !refused.Permanent() {
		return nil
	}
	code := octopus.Code(refused.Code)
	if code == "" {
		code = octopus.CodeDenied
	}
	return octopus.Errorf(code, "This agent could not enrol: %s", refused.Sentence)
}

// token reads the join token that was given.
func (a *Agent) token() (string, error) {
	token := a.config.Token
	if token == "" && a.config.TokenFile != "" {
		raw, err := os.ReadFile(a.config.TokenFile)
		if err != nil {
			return "", octopus.Errorf(octopus.CodeInvalid, "The token file cannot be read: %v.", err)
		}
		token = string(raw)
	}
	if token = strings.TrimSpace(token); token == "" {
		return "", octopus.Errorf(octopus.CodeInvalid,
			"This agent has no identity in %s and no join token. Make one under \"Add an agent\" and pass it with --token.", a.folder.path)
	}
	return token, nil
}

func newIncarnation() string { return rand.Text() }

// linkID is how the agent signs its requests.
func (a *Agent) linkID() link.Identity {
	return link.Identity{Agent: a.id.Agent, Key: a.id.key, Incarnation: a.incarnation}
}
