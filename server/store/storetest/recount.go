package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"octopus/internal/octopus"
)

// contradiction counts rows that say something else than other rows do.
type contradiction struct{ what, count string }

// Recount looks at a whole database and returns what contradicts itself in it: counters and roll-ups against the
// executions that they count, rows without what they belong to, states without their times. It expects that nothing
// was purged.
func Recount(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, recountSQL())
	if err != nil {
		return nil, fmt.Errorf("recount: %w", err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var what string
		var n int
		if err := rows.Scan(&what, &n); err != nil {
			return nil, fmt.Errorf("recount: %w", err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%s: %d", what, n))
		}
	}
	return found, rows.Err()
}

// recountSQL is all questions in one.
var recountSQL = sync.OnceValue(func() string {
	var parts []string
	for _, c := range contradictions() {
		parts = append(parts, fmt.Sprintf("SELECT '%s', (%s)", c.what, c.count))
	}
	return strings.Join(parts, " UNION ALL ")
})

func contradictions() []contradiction {
	all := []contradiction{
		{"executions without their run", `SELECT count(*) FROM executions x WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = x.run_id)`},
		{"executions without an event", `SELECT count(*) FROM executions x WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.execution_id = x.id)`},
		{"runs whose total is not what they planned and made", `SELECT count(*) FROM runs r
WHERE total <> planned + (SELECT count(*) FROM executions x WHERE x.run_id = r.id)`},
		{"runs that ended with work left, or the reverse", `SELECT count(*) FROM runs
WHERE (finished_at > 0) <> (queued + offered + running + planned = 0)`},
		{"idempotency keys without their run", `SELECT count(*) FROM idempotency i
WHERE made LIKE 'run_%' AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = i.made)`},
		{"payloads of no run", `SELECT count(*) FROM run_payloads p WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = p.run_id)`},
		{"attempts that their execution did not come to", `SELECT count(*) FROM attempts a
WHERE number > (SELECT attempt FROM executions x WHERE x.id = a.execution_id)`},
		{"executions whose end and its time disagree", `SELECT count(*) FROM executions
WHERE (finished_at > 0) <> (status NOT IN ('queued', 'offered', 'running'))`},
		{"running executions that never went", `SELECT count(*) FROM executions WHERE status = 'running' AND (go_at = 0 OR attempt = 0)`},
		{"executions that the roll-ups do not count", `SELECT count(*) FROM
(SELECT plugin, status, count(*) AS n FROM executions GROUP BY plugin, status) x LEFT JOIN
(SELECT plugin, status, sum(n) AS n FROM rollups WHERE hour IN (0, -1) GROUP BY plugin, status) r
ON r.plugin = x.plugin AND r.status = x.status WHERE x.n <> coalesce(r.n, 0)`},
		{"roll-ups of no execution", `SELECT count(*) FROM
(SELECT plugin, status, sum(n) AS n FROM rollups WHERE hour IN (0, -1) GROUP BY plugin, status) r
WHERE r.n <> 0 AND NOT EXISTS (SELECT 1 FROM executions x WHERE x.plugin = r.plugin AND x.status = r.status)`},
		{"hours that do not add up", `SELECT count(*) FROM
(SELECT plugin, status, sum(CASE WHEN hour > 0 THEN n ELSE 0 END) AS hours, sum(CASE WHEN hour = -1 THEN n ELSE 0 END) AS ever
FROM rollups GROUP BY plugin, status) r WHERE hours <> ever`},
	}
	for _, table := range []string{"execution_payloads", "events", "attempts", "results", "artifacts", "evidence", "log_chunks"} {
		all = append(all, contradiction{"rows of no execution in " + table,
			"SELECT count(*) FROM " + table + " c WHERE NOT EXISTS (SELECT 1 FROM executions x WHERE x.id = c.execution_id)"})
	}
	var differ []string
	for _, status := range octopus.Statuses {
		differ = append(differ, fmt.Sprintf("%s <> (SELECT count(*) FROM executions x WHERE x.run_id = r.id AND x.status = '%s')", status, status))
	}
	return append(all, contradiction{"runs whose counters are wrong", "SELECT count(*) FROM runs r WHERE " + strings.Join(differ, " OR ")})
}
