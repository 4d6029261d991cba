package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// suffixSigned marks what the server signed of a module: <digest>.sig beside <digest>.wasm.
const suffixSigned = ".sig"

func signedName(name string) string { return strings.TrimSuffix(name, ".wasm") + suffixSigned }

// Untrusted says why a module is not run although its bytes are those that were asked for.
type Untrusted struct{ Why error }

// Error is a sentence for people.
func (e *Untrusted) Error() string { return "The module is not trusted: " + e.Why.Error() + "." }

// Unwrap returns the reason.
func (e *Untrusted) Unwrap() error { return e.Why }

// EnsureVersion has a module on disk when it returns, as Ensure does, and knows that the server signed it as this very
// version of this plugin: an old module cannot be passed off as a new one.
func (m *Cache) EnsureVersion(ctx context.Context, plugin, version, digest string) (time.Duration, error) {
	took, err := m.Ensure(ctx, digest)
	if err != nil {
		return took, err
	}
	name, err := fileName(digest)
	if err != nil {
		return took, err
	}
	m.mu.Lock()
	signed, known := m.signed[name]
	m.mu.Unlock()
	if !known { // stored by an earlier process
		if _, err := m.Load(ctx, digest); err != nil {
			return took, err
		}
		m.mu.Lock()
		signed = m.signed[name]
		m.mu.Unlock()
	}
	if len(signed.Signatures) > 0 && (signed.Plugin != plugin || signed.Version != version) {
		return took, &Untrusted{fmt.Errorf("it is signed as %s %s, and was offered as %s %s", signed.Plugin, signed.Version, plugin, version)}
	}
	return took, nil
}

// believe checks what was signed against the bytes that came with it, and who signed it.
func (m *Cache) believe(ctx context.Context, signed wire.SignedModule, digest string, size int64) error {
	if len(signed.Signatures) > 0 && (signed.Digest != digest || signed.Size != size) {
		return &Untrusted{errors.New("what was signed is another module")}
	}
	if err := m.verify(ctx, signed); err != nil {
		var known *octopus.Error
		if errors.As(err, &known) {
			return err
		}
		return &Untrusted{err}
	}
	return nil
}

// refuse remembers why a module was not loaded, for the next fetch; "" forgets it.
func (m *Cache) refuse(name, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if why == "" {
		delete(m.refused, name)
		return
	}
	m.refused[name] = why
}

// keepSigned writes what was signed, before the module is put in place.
func (m *Cache) keepSigned(name string, signed wire.SignedModule) error {
	raw, err := json.Marshal(signed)
	if err != nil {
		return fmt.Errorf("store signature: %w", err)
	}
	file, err := m.root.OpenFile(signedName(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("store signature: %w", err)
	}
	_, err = file.Write(raw)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("store signature: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.signed[name] = signed
	return nil
}

// readSigned reads what was signed. What cannot be read was not signed.
func (m *Cache) readSigned(name string) (signed wire.SignedModule) {
	raw, err := m.root.ReadFile(signedName(name))
	if err != nil || json.Unmarshal(raw, &signed) != nil {
		return wire.SignedModule{}
	}
	return signed
}
