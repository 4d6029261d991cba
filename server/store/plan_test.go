package store

import (
	"path/filepath"
	"strings"
	"testing"

	"octopus/internal/octopus"
)

// TestFailuresAreIndexed asks SQLite how it finds the failures of one task, agent or plugin: without an index of
// their own it reads all failures there are, or all that the task ever did.
func TestFailuresAreIndexed(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "octopus.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct{ table, where, term, index string }{
		{"executions", "task_id <> '' AND task_id = 'x'", statusTerm(octopus.Failed, failures), "executions_task_failures"},
		{"executions", "agent_id <> '' AND agent_id = 'x'", statusTerm(octopus.Lost, failures), "executions_agent_failures"},
		{"executions", "plugin <> '' AND plugin = 'x'", statusTerm(octopus.Rejected, failures), "executions_plugin_failures"},
		{"executions", "task_id <> '' AND task_id = 'x'", statusTerm(octopus.Succeeded, failures), "executions_task "},
		{"executions", "1", statusTerm(octopus.Running, failures), "executions_"},
		{"runs", "task_id <> '' AND task_id = 'x'", statusTerm(octopus.RunFailed, failedRuns), "runs_task_failures"},
	} {
		query := "SELECT id FROM " + c.table + " WHERE " + c.where + " AND " + c.term + " ORDER BY id DESC LIMIT 51"
		plan, err := list(t.Context(), s.reads, func(row scanner) (detail string, err error) {
			var id, parent, unused int
			err = row.Scan(&id, &parent, &unused, &detail)
			return detail, err
		}, "EXPLAIN QUERY PLAN "+query)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(plan, "; "); !strings.Contains(got, c.index) || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s\nis found by: %s\nwant %s, in order", query, got, c.index)
		}
	}
}

// TestWritesBuildNoTables looks for tables in memory in what SQLite does for the statements of each execution: an index's
// condition that lists more than two values costs one for each test of a row, four in a step.
func TestWritesBuildNoTables(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "octopus.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := s.writer.updateSQL(1<<(movingCount+1) - 1)
	for name, query := range map[string]string{"update": all, "insert": insertExecutionSQL, "run": insertRunSQL, "counts": countRunSQL, "roll-up": upsertRollup} {
		opcodes, err := list(t.Context(), s.reads, func(row scanner) (opcode string, err error) {
			var rest [7]any
			err = row.Scan(&rest[0], &opcode, &rest[1], &rest[2], &rest[3], &rest[4], &rest[5], &rest[6])
			return opcode, err
		}, "EXPLAIN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil || len(opcodes) < 10 {
			t.Fatalf("%s: %d steps, error %v", name, len(opcodes), err)
		}
		for i, opcode := range opcodes {
			if opcode == "OpenEphemeral" || opcode == "SorterOpen" {
				t.Errorf("%s: step %d of SQLite's program is %s", name, i, opcode)
			}
		}
	}
}
