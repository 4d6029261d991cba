package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
)

func (s *Store) Secret(ctx context.Context, name string, n int) ([]byte, error) {
	panic("not built yet")
}
func (s *Store) Meta(ctx context.Context, key string) (string, error)     { panic("not built yet") }
func (s *Store) SetMeta(ctx context.Context, key, value string) error     { panic("not built yet") }
func (s *Store) TakeMeta(ctx context.Context, key string) (string, error) { panic("not built yet") }
func (s *Store) RenewServer(ctx context.Context, server Server) error     { panic("not built yet") }
func (s *Store) Servers(ctx context.Context) ([]Server, error)            { panic("not built yet") }

func (s *Store) Executions(ctx context.Context, f ExecutionFilter, p Page) (items []octopus.Execution, next string, err error) {
	panic("not built yet")
}
func (s *Store) Runs(ctx context.Context, f RunFilter, p Page) (items []octopus.Run, next string, err error) {
	panic("not built yet")
}
func (s *Store) RunExecutions(ctx context.Context, runID string, p Page) (items []octopus.Execution, next string, err error) {
	panic("not built yet")
}
func (s *Store) AppendLogs(ctx context.Context, chunks []octopus.LogChunk) (acked map[string]int64, err error) {
	panic("not built yet")
}
func (s *Store) Logs(ctx context.Context, executionID string, afterSeq int64, limit int) ([]octopus.LogChunk, error) {
	panic("not built yet")
}
func (s *Store) LogTail(ctx context.Context, executionID string, chunks int) ([]octopus.LogChunk, error) {
	panic("not built yet")
}
func (s *Store) SaveBlob(ctx context.Context, sha string, data []byte) error { panic("not built yet") }
func (s *Store) Blob(ctx context.Context, sha string) ([]byte, error)        { panic("not built yet") }

func (s *Store) CreateTask(ctx context.Context, t octopus.Task, key *Idempotency) (task octopus.Task, replay bool, err error) {
	panic("not built yet")
}
func (s *Store) Task(ctx context.Context, idOrName string) (octopus.Task, error) {
	panic("not built yet")
}
func (s *Store) Tasks(ctx context.Context, f TaskFilter, p Page) (items []octopus.Task, next string, err error) {
	panic("not built yet")
}
func (s *Store) UpdateTask(ctx context.Context, id string, revision int64, change func(*octopus.Task) error) (octopus.Task, error) {
	panic("not built yet")
}
func (s *Store) DeleteTask(ctx context.Context, id string, revision int64) error {
	panic("not built yet")
}

func (s *Store) Enrol(ctx context.Context, tokenHash []byte, a octopus.Agent) (octopus.Agent, error) {
	panic("not built yet")
}
func (s *Store) Agent(ctx context.Context, idOrName string) (octopus.Agent, error) {
	panic("not built yet")
}
func (s *Store) Agents(ctx context.Context, f AgentFilter, p Page) (items []octopus.Agent, next string, err error) {
	panic("not built yet")
}
func (s *Store) UpdateAgent(ctx context.Context, id string, change func(*octopus.Agent) error) (octopus.Agent, error) {
	panic("not built yet")
}
func (s *Store) RemoveAgent(ctx context.Context, id string) error { panic("not built yet") }
func (s *Store) OpenSession(ctx context.Context, session octopus.AgentSession, facts octopus.Facts) (epoch int64, err error) {
	panic("not built yet")
}
func (s *Store) CloseSession(ctx context.Context, agentID string, epoch int64, cause string) error {
	panic("not built yet")
}
func (s *Store) CloseServerSessions(ctx context.Context, serverID, cause string) (int, error) {
	panic("not built yet")
}
func (s *Store) AgentSessions(ctx context.Context, agentID string, limit int) ([]octopus.AgentSession, error) {
	panic("not built yet")
}
func (s *Store) NoteRefusal(ctx context.Context, agentID, reason string) error {
	panic("not built yet")
}
func (s *Store) CreateJoinToken(ctx context.Context, t octopus.JoinToken) error {
	panic("not built yet")
}
func (s *Store) JoinTokens(ctx context.Context) ([]octopus.JoinToken, error) { panic("not built yet") }
func (s *Store) RevokeJoinToken(ctx context.Context, id string) error        { panic("not built yet") }

func (s *Store) PublishVersion(ctx context.Context, v octopus.PluginVersion, source, description string, module []byte) error {
	panic("not built yet")
}
func (s *Store) Plugin(ctx context.Context, name string) (octopus.Plugin, error) {
	panic("not built yet")
}
func (s *Store) Plugins(ctx context.Context) ([]octopus.Plugin, error) { panic("not built yet") }
func (s *Store) Version(ctx context.Context, name, version string) (octopus.PluginVersion, error) {
	panic("not built yet")
}
func (s *Store) VersionByDigest(ctx context.Context, digest string) (octopus.PluginVersion, error) {
	panic("not built yet")
}
func (s *Store) Module(ctx context.Context, digest string) ([]byte, error) { panic("not built yet") }
func (s *Store) SetPluginEnabled(ctx context.Context, name string, enabled bool) error {
	panic("not built yet")
}
func (s *Store) SetVersionStatus(ctx context.Context, name, version string, status octopus.VersionStatus) error {
	panic("not built yet")
}
func (s *Store) PutGrant(ctx context.Context, g octopus.Grant) error  { panic("not built yet") }
func (s *Store) DeleteGrant(ctx context.Context, digest string) error { panic("not built yet") }
func (s *Store) Grants(ctx context.Context) ([]octopus.Grant, error)  { panic("not built yet") }

func (s *Store) KVGet(ctx context.Context, plugin, key string) (value json.RawMessage, found bool, err error) {
	panic("not built yet")
}

// KVSet puts a value that lives for ttl (0: for good). Over quota bytes of the plugin's values it is CodeTooLarge.
func (s *Store) KVSet(ctx context.Context, plugin, key string, value json.RawMessage, ttl time.Duration, quota int64) error {
	panic("not built yet")
}
func (s *Store) KVDelete(ctx context.Context, plugin, key string) (found bool, err error) {
	panic("not built yet")
}
func (s *Store) KVList(ctx context.Context, plugin, prefix string, limit int) (keys []string, more bool, err error) {
	panic("not built yet")
}

func (s *Store) CountUsers(ctx context.Context) (int, error) { panic("not built yet") }

// CreateUser adds a user; CreateFirstUser does so only while there is none, else CodeConflict.
func (s *Store) CreateUser(ctx context.Context, u octopus.User) (octopus.User, error) {
	panic("not built yet")
}
func (s *Store) CreateFirstUser(ctx context.Context, u octopus.User) (octopus.User, error) {
	panic("not built yet")
}
func (s *Store) User(ctx context.Context, idOrName string) (octopus.User, error) {
	panic("not built yet")
}
func (s *Store) Users(ctx context.Context) ([]octopus.User, error) { panic("not built yet") }
func (s *Store) UpdateUser(ctx context.Context, id string, change func(*octopus.User) error) (octopus.User, error) {
	panic("not built yet")
}
func (s *Store) DeleteUser(ctx context.Context, id string) error { panic("not built yet") }
func (s *Store) CreateSession(ctx context.Context, session octopus.Session) error {
	panic("not built yet")
}
func (s *Store) SessionByHash(ctx context.Context, hash []byte) (octopus.Session, error) {
	panic("not built yet")
}
func (s *Store) ExtendSession(ctx context.Context, id string, expires time.Time) error {
	panic("not built yet")
}
func (s *Store) DeleteSession(ctx context.Context, id string) error { panic("not built yet") }

// DeleteUserSessions ends all sessions of a user but one ("" ends all).
func (s *Store) DeleteUserSessions(ctx context.Context, userID, exceptID string) error {
	panic("not built yet")
}
func (s *Store) UserSessions(ctx context.Context, userID string) ([]octopus.Session, error) {
	panic("not built yet")
}
func (s *Store) CreateToken(ctx context.Context, t octopus.Token) error { panic("not built yet") }
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (octopus.Token, error) {
	panic("not built yet")
}

// Tokens lists a user's tokens, all users' when userID is "".
func (s *Store) Tokens(ctx context.Context, userID string) ([]octopus.Token, error) {
	panic("not built yet")
}
func (s *Store) RevokeToken(ctx context.Context, id string) error { panic("not built yet") }

// TouchToken notes that a token was used. It returns at once; notes are written in batches.
func (s *Store) TouchToken(id string) { panic("not built yet") }

func (s *Store) Overview(ctx context.Context) (Overview, error) { panic("not built yet") }
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	panic("not built yet")
}
func (s *Store) PurgeExpired(ctx context.Context) (Expired, error) { panic("not built yet") }

type touched struct{}

func startTouched(s *Store) *touched { return &touched{} }
func (t *touched) stop()             {}
func (s *Store) openPostgres(ctx context.Context, url string) (*sql.DB, error) {
	panic("not built yet")
}
