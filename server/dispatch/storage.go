package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Store is the database as dispatch uses it: *store.Store, or the model of it that the simulator in e2e/sim runs on.
// Each method is one transaction, and what it wrote is durable when it returns without an error.
type Store interface {
	machineStore
	fleetStore
	pluginStore

	Dialect() string
	Now() time.Time
}

// machineStore is runs and executions.
type machineStore interface {
	CreateRun(ctx context.Context, n store.NewRun) (run octopus.Run, replay bool, err error)
	ExpandRun(ctx context.Context, runID string) (left int, err error)
	UnexpandedRuns(ctx context.Context) ([]string, error)
	Run(ctx context.Context, id string) (octopus.Run, error)
	RunExecutions(ctx context.Context, runID string, p store.Page) (items []octopus.Execution, next string, err error)
	Task(ctx context.Context, idOrName string) (octopus.Task, error)
	Tasks(ctx context.Context, f store.TaskFilter, p store.Page) (items []octopus.Task, next string, err error)

	Step(ctx context.Context, id string, step store.StepFunc) (octopus.Execution, error)
	Claim(ctx context.Context, q store.ClaimQuery, offer store.OfferFunc) ([]octopus.Execution, error)
	Execution(ctx context.Context, id string) (octopus.Execution, error)
	Executions(ctx context.Context, f store.ExecutionFilter, p store.Page) (items []octopus.Execution, next string, err error)
	Attempts(ctx context.Context, executionID string) ([]octopus.Attempt, error)
	Events(ctx context.Context, executionID string) ([]octopus.Event, error)
	Evidence(ctx context.Context, executionID string) ([]store.Evidence, error)
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	QueuedPools(ctx context.Context) (pools, agentIDs []string, err error)
	Held(ctx context.Context, agentID string) ([]octopus.Execution, error)
	UndeliveredCancels(ctx context.Context, agentIDs []string) ([]octopus.Execution, error)
	SaveProgress(ctx context.Context, id string, fence int64, p octopus.Progress) error
	AppendLogs(ctx context.Context, chunks []octopus.LogChunk) (acked map[string]int64, err error)
	Blob(ctx context.Context, sha string) ([]byte, error)
}

// fleetStore is agents, servers and users.
type fleetStore interface {
	Agent(ctx context.Context, idOrName string) (octopus.Agent, error)
	Agents(ctx context.Context, f store.AgentFilter, p store.Page) (items []octopus.Agent, next string, err error)
	AgentSessions(ctx context.Context, agentID string, limit int) ([]octopus.AgentSession, error)
	Servers(ctx context.Context) ([]store.Server, error)
	CloseServerSessions(ctx context.Context, serverID, cause string) (int, error)
	User(ctx context.Context, idOrName string) (octopus.User, error)
}

// pluginStore is plugins and what they keep here.
type pluginStore interface {
	Plugins(ctx context.Context) ([]octopus.Plugin, error)
	PluginChanges() int64
	VersionByDigest(ctx context.Context, digest string) (octopus.PluginVersion, error)
	CacheGet(ctx context.Context, region, key string) (e octopus.CacheEntry, found bool, err error)
	CacheList(ctx context.Context, region, prefix string, limit int) ([]octopus.CacheEntry, error)
	CachePut(ctx context.Context, e octopus.CacheEntry) error
	KVGet(ctx context.Context, plugin, key string) (value json.RawMessage, found bool, err error)
	KVSet(ctx context.Context, plugin, key string, value json.RawMessage, ttl time.Duration, quota int64) error
	KVDelete(ctx context.Context, plugin, key string) (found bool, err error)
	KVList(ctx context.Context, plugin, prefix string, limit int) (keys []string, more bool, err error)
}
