package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"octopus/internal/octopus"
)

const readMeta = "SELECT value FROM meta WHERE key = ?"

// Secret returns n random bytes that were made when the name was first asked for, the same ever after.
func (s *Store) Secret(ctx context.Context, name string, n int) ([]byte, error) {
	key := "secret:" + name
	text, err := one[string](s.reads.row(ctx, readMeta, key))
	if isNoRow(err) {
		err = s.write(ctx, func(t *tx) error {
			fresh := make([]byte, n)
			rand.Read(fresh) // never fails
			if _, err := t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING", key, base64.StdEncoding.EncodeToString(fresh)); err != nil {
				return err
			}
			text, err = one[string](t.row(ctx, readMeta, key))
			return err
		})
	}
	if err != nil {
		return nil, s.fail("secret "+name, err)
	}
	secret, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(secret) != n {
		return nil, fmt.Errorf("secret %s has %d bytes, not %d", name, len(secret), n)
	}
	return secret, nil
}

// Meta returns a setting that the server keeps for itself; CodeNotFound where it was never set.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	value, err := one[string](s.reads.row(ctx, readMeta, key))
	if err != nil {
		return "", s.notFound(err, "setting", key)
	}
	return value, nil
}

// SetMeta keeps a setting.
func (s *Store) SetMeta(ctx context.Context, key, value string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, clean(value))
		return s.fail("setting", err)
	})
}

// ChangeMeta replaces a setting by what change makes of it, "" where there is none, in one transaction. change may be
// called again.
func (s *Store) ChangeMeta(ctx context.Context, key string, change func(string) (string, error)) error {
	return s.write(ctx, func(t *tx) error {
		value, err := one[string](t.row(ctx, readMeta, key))
		if err != nil && !isNoRow(err) {
			return s.fail("setting", err)
		}
		if value, err = change(value); err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, clean(value))
		return s.fail("setting", err)
	})
}

// TakeMeta reads a setting and removes it, so that only one caller gets it: for secrets that are used once.
func (s *Store) TakeMeta(ctx context.Context, key string) (string, error) {
	var value string
	err := s.write(ctx, func(t *tx) (err error) {
		if value, err = one[string](t.row(ctx, readMeta, key)); err != nil {
			return s.notFound(err, "setting", key)
		}
		n, err := t.exec("DELETE FROM meta WHERE key = ?", key)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no setting %q.", key)
		}
		return s.fail("setting", err)
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// RenewServer renews a server's lease, or registers it. RenewedAt is the store's time.
func (s *Store) RenewServer(ctx context.Context, server Server) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO servers (id, url, version, agents, started_at, renewed_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET url = excluded.url, version = excluded.version, agents = excluded.agents,
started_at = excluded.started_at, renewed_at = excluded.renewed_at`,
			server.ID, clean(server.URL), clean(server.Version), int64(server.Agents), micros(server.StartedAt), micros(t.now))
		return s.fail("server", err)
	})
}

// Servers lists the servers whose lease was renewed within the last day.
func (s *Store) Servers(ctx context.Context) ([]Server, error) {
	servers, err := list(ctx, s.reads, func(row scanner) (v Server, err error) {
		err = row.Scan(&v.ID, &v.URL, &v.Version, &v.Agents, timeInto{&v.StartedAt}, timeInto{&v.RenewedAt})
		return v, err
	}, "SELECT id, url, version, agents, started_at, renewed_at FROM servers WHERE renewed_at > ? ORDER BY id", micros(s.Now().Add(-serverLife)))
	return servers, s.fail("servers", err)
}
