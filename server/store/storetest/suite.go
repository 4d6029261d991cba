package storetest

import (
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Opener returns a fresh store of one database. It is closed with the test.
type Opener = func(t testing.TB) *store.Store

// suite is what every database must do.
var suite = []struct {
	name string
	test func(t *testing.T, s *store.Store)
}{
	{"create", testCreate},
	{"create offered", testCreateOffered},
	{"idempotency", testIdempotency},
	{"fan-out", testFanOut},
	{"life", testLife},
	{"every transition", testTransitions},
	{"terminal never changes", testTerminal},
	{"step errors undo", testStepErrors},
	{"step batch", testStepBatch},
	{"grouped failures", testGroupedFailures},
	{"large response", testPayloads},
	{"artifacts", testArtifacts},
	{"claim order", testClaimOrder},
	{"claim rules", testClaimRules},
	{"claim sandbox", testClaimSandbox},
	{"claim spread", testClaimSpread},
	{"claim looks behind", testClaimBehind},
	{"due", testDue},
	{"held and cancels", testHeld},
	{"progress", testProgress},
	{"logs", testLogs},
	{"log times", testLogTimes},
	{"blobs", testBlobs},
	{"execution lists", testExecutionLists},
	{"run lists", testRunLists},
	{"failures first", testRunExecutions},
	{"bad cursor", testBadCursor},
	{"tasks", testTasks},
	{"deleted tasks come back", testTaskRestore},
	{"task lists", testTaskLists},
	{"enrol", testEnrol},
	{"purge of join tokens and servers", testPurgeEnded},
	{"sessions of agents", testAgentSessions},
	{"agent lists", testAgentLists},
	{"plugins", testPlugins},
	{"grants", testGrants},
	{"list of grants", testGrantList},
	{"agents of a version", testVersionAgents},
	{"submissions", testSubmissions},
	{"drafts", testDrafts},
	{"plugin events", testPluginEvents},
	{"signatures", testSignatures},
	{"rings", testRings},
	{"outcomes of versions", testOutcomes},
	{"configuration of plugins", testPluginConfig},
	{"plugin values", testValues},
	{"cache entries", testCacheEntries},
	{"users", testUsers},
	{"last administrator", testLastAdmin},
	{"sessions of users", testSessions},
	{"secrets", testSecrets},
	{"key of the secrets", testSecretsKey},
	{"parameters of users", testUserParams},
	{"reseal", testReseal},
	{"tokens", testTokens},
	{"touched tokens", testTouched},
	{"settings", testMeta},
	{"servers", testServers},
	{"restored", testRestored},
	{"overview", testOverview},
	{"past", testPast},
	{"purge", testPurge},
	{"hints", testHints},
	{"odd text", testOddText},
	{"closed", testClosed},
	{"model", testModel},
}

// Run runs the suite. open returns a fresh store each time.
func Run(t *testing.T, open Opener) {
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// check is a test's way of going on only without an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails unless err carries a code.
func wantCode(t testing.TB, err error, code octopus.Code) {
	t.Helper()
	if octopus.CodeOf(err) != code {
		t.Fatalf("error %v has code %q, want %q", err, octopus.CodeOf(err), code)
	}
}

// equal fails unless two comparable values are the same.
func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

// create stores a run of n queued executions and returns it with their identifiers.
func create(t testing.TB, s *store.Store, n int, edit func(i int, x *octopus.Execution)) (octopus.Run, []string) {
	t.Helper()
	made := NewRun(s, n, edit)
	run, replay, err := s.CreateRun(t.Context(), made)
	check(t, err)
	equal(t, "replay", replay, false)
	var ids []string
	for _, x := range made.Executions {
		ids = append(ids, x.ID)
	}
	return run, ids
}

// step runs steps on an execution, each of which must succeed.
func step(t testing.TB, s *store.Store, id string, steps ...store.StepFunc) octopus.Execution {
	t.Helper()
	var x octopus.Execution
	for _, f := range steps {
		var err error
		x, err = s.Step(t.Context(), id, f)
		check(t, err)
	}
	return x
}
