package agent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"octopus/internal/wire"
)

// keysFor is how long an agent does without asking for its server's keys again; it asks at once where a signature is
// not one of a key that it knows.
const keysFor = time.Hour

// trust knows the keys with which the server signs modules. They are pinned when the agent enrols; an agent that
// enrolled before its server signed anything pins what it is told first, over the connection on which it has proved the
// server's certificate. After that a new key needs the word of a pinned one.
type trust struct {
	ask  func(context.Context) ([]wire.ServerKey, error) // static
	save func(identity) error                            // static
	log  *slog.Logger                                    // static

	mu    sync.Mutex // guards what follows; held while the server is asked
	id    identity
	asked time.Time
}

func newTrust(id identity, ask func(context.Context) ([]wire.ServerKey, error), f *folder, log *slog.Logger) *trust {
	return &trust{ask: ask, save: f.saveIdentity, log: log, id: id}
}

// pins are the keys that are trusted now. t.mu is held.
func (t *trust) pins() []ed25519.PublicKey {
	if len(t.id.ServerKeys) == 0 && len(t.id.ServerKey) == ed25519.PublicKeySize {
		return []ed25519.PublicKey{t.id.ServerKey}
	}
	return t.id.ServerKeys
}

// errNewServerKey says what an owner can do when nothing vouches for the server's key.
var errNewServerKey = errors.New("the server's keys are others than this agent knows, and none of those vouches for them; if that is expected, stop the agent and run octopus agent trust with its data folder")

// believe says whether a module may be loaded, as far as its signature goes. Where the server never signed anything,
// every module may.
func (t *trust) believe(ctx context.Context, m wire.SignedModule) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	pins := t.pins()
	err := m.Verify(pins)
	fresh := time.Since(t.asked) < keysFor
	if fresh && (err == nil || len(pins) == 0 && len(m.Signatures) == 0) {
		return nil
	}
	ok, asking := t.refresh(ctx)
	switch {
	case asking != nil && err == nil:
		return nil // the server cannot be asked now, and what is known will do
	case asking != nil:
		return fmt.Errorf("%w, and the server's keys cannot be had: %w", err, asking)
	case len(t.pins()) == 0:
		return nil
	}
	if err = m.Verify(t.pins()); err != nil && !ok {
		return errNewServerKey
	}
	return err
}

// refresh asks for the server's keys and pins what the pinned ones lead to. t.mu is held.
func (t *trust) refresh(ctx context.Context) (ok bool, err error) {
	keys, err := t.ask(ctx)
	if err != nil {
		return false, err
	}
	before := t.pins()
	now, ok := wire.Trust(before, keys)
	t.asked = time.Now()
	if !ok {
		t.log.Error("the server's keys are not trusted", "err", errNewServerKey)
	}
	if same(before, now) {
		return ok, nil
	}
	id := t.id
	id.ServerKeys = now
	if err := t.save(id); err != nil {
		return ok, fmt.Errorf("pin the server's keys: %w", err)
	}
	t.id = id
	for _, k := range now {
		t.log.Info("key of the server pinned", "key", wire.KeyID(k), "first_use", len(before) == 0)
	}
	return ok, nil
}

func same(a, b []ed25519.PublicKey) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// ForgetServerKeys makes the agent of a data folder pin, when it runs next, the keys that its server names then: for
// its owner, where the server's key was lost and replaced. The agent must not run.
func ForgetServerKeys(path string) error {
	f, err := openFolder(path)
	if err != nil {
		return err
	}
	defer f.close()
	id, known, err := f.identity()
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("there is no agent in %s", f.path)
	}
	id.ServerKey, id.ServerKeys = nil, nil
	return f.saveIdentity(id)
}
