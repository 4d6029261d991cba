package store

import (
	"context"

	"octopus/internal/octopus"
)

// recentUses is how many of a plugin's newest executions [Store.VersionAgents] looks at.
const recentUses = 5000

const selectUses = `SELECT used.agent_id, agents.name, CAST(sum(fetches) AS BIGINT), max(fetched_at), CAST(sum(runs) AS BIGINT), max(ran_at), max(used_at)
FROM (
SELECT agent_id, fetches, last_at AS fetched_at, 0 AS runs, 0 AS ran_at, last_at AS used_at FROM plugin_fetches WHERE digest = ?
UNION ALL
SELECT agent_id, 0, 0, 1, ran_at, ran_at FROM (
SELECT agent_id, digest, go_at, CASE WHEN finished_at > 0 THEN finished_at ELSE go_at END AS ran_at
FROM executions WHERE plugin = ? ORDER BY id DESC LIMIT ?) AS newest
WHERE digest = ? AND agent_id <> '' AND go_at > 0
) AS used JOIN agents ON agents.id = used.agent_id GROUP BY used.agent_id, agents.name`

// VersionAgents lists the agents that fetched a version, or ran it among the newest 5,000 executions of its plugin,
// in the order of the last time; those that were removed are left out.
func (s *Store) VersionAgents(ctx context.Context, v octopus.PluginVersion, p Page) (items []octopus.VersionAgent, next string, err error) {
	at, err := p.key()
	if err != nil {
		return nil, "", err
	}
	last, err := momentOf(at)
	if err != nil {
		return nil, "", err
	}
	compare, direction := p.order()
	query, args := selectUses, []any{v.Digest, v.Plugin, recentUses, v.Digest}
	if last.id != "" {
		query += " HAVING max(used_at) " + compare + " ? OR max(used_at) = ? AND used.agent_id " + compare + " ?"
		args = append(args, last.at, last.at, last.id)
	}
	query += " ORDER BY max(used_at) " + direction + ", used.agent_id " + direction + " LIMIT ?"
	limit := bounded(p.Limit)
	items, err = list(ctx, s.reads, func(row scanner) (a octopus.VersionAgent, err error) {
		var used int64
		err = row.Scan(&a.AgentID, &a.AgentName, &a.Fetches, timeInto{&a.FetchedAt}, &a.Runs, timeInto{&a.RanAt}, &used)
		return a, err
	}, query, append(args, limit+1)...)
	if len(items) > limit {
		items = items[:limit]
		a := items[limit-1]
		next = moment{micros(a.UsedAt()), a.AgentID}.String()
	}
	return items, next, s.fail("agents of a plugin version", err)
}
