package store

import (
	"context"
	"encoding/base64"

	"octopus/internal/octopus"
)

func (t *tx) putSignatures(digest string, list []octopus.Signature) error {
	for _, s := range list {
		_, err := t.exec(`INSERT INTO plugin_signatures (digest, key_id, signature, signed_at) VALUES (?, ?, ?, ?)
ON CONFLICT (digest, key_id) DO UPDATE SET signature = excluded.signature, signed_at = excluded.signed_at`,
			digest, s.Key, base64.StdEncoding.EncodeToString(s.Signature), micros(t.now))
		if err != nil {
			return err
		}
	}
	return nil
}

// AddSignatures keeps what further keys say of a published module.
func (s *Store) AddSignatures(ctx context.Context, digest string, list ...octopus.Signature) error {
	return s.write(ctx, func(t *tx) error { return s.fail("signature", t.putSignatures(digest, list)) })
}

// Signatures returns what the server's keys say of a module, the oldest first.
func (s *Store) Signatures(ctx context.Context, digest string) ([]octopus.Signature, error) {
	signatures, err := list(ctx, s.reads, func(row scanner) (sig octopus.Signature, err error) {
		var text string
		if err = row.Scan(&sig.Key, &text); err == nil {
			sig.Signature, err = base64.StdEncoding.DecodeString(text)
		}
		return sig, err
	}, "SELECT key_id, signature FROM plugin_signatures WHERE digest = ? ORDER BY signed_at, key_id", digest)
	return signatures, s.fail("signatures", err)
}

// NoteFetch counts that an agent fetched a module.
func (s *Store) NoteFetch(ctx context.Context, digest, agentID string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO plugin_fetches (digest, agent_id, fetches, last_at) VALUES (?, ?, 1, ?)
ON CONFLICT (digest, agent_id) DO UPDATE SET fetches = plugin_fetches.fetches + 1, last_at = excluded.last_at`, digest, agentID, micros(t.now))
		return s.fail("fetch of a module", err)
	})
}

// Fetches says how often the versions of a plugin were fetched, and by how many of the agents that are not removed, by
// digest.
func (s *Store) Fetches(ctx context.Context, plugin string) (map[string]octopus.Fetches, error) {
	type row struct {
		digest string
		f      octopus.Fetches
	}
	rows, err := list(ctx, s.reads, func(sc scanner) (r row, err error) {
		err = sc.Scan(&r.digest, &r.f.Downloads, &r.f.Agents)
		return r, err
	}, `SELECT digest, CAST(sum(fetches) AS BIGINT), count(agents.id) FROM plugin_fetches LEFT JOIN agents ON agents.id = plugin_fetches.agent_id
WHERE digest IN (SELECT digest FROM plugin_versions WHERE plugin = ?) GROUP BY digest`, plugin)
	out := make(map[string]octopus.Fetches, len(rows))
	for _, r := range rows {
		out[r.digest] = r.f
	}
	return out, s.fail("fetches", err)
}
