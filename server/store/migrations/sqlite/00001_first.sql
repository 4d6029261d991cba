-- +goose Up
-- Times are microseconds UTC, 0 is "not set". Durations are microseconds. JSON is text.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE servers (
    id         TEXT NOT NULL PRIMARY KEY,
    url        TEXT NOT NULL,
    version    TEXT NOT NULL,
    agents     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tasks (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    folder      TEXT NOT NULL,
    labels      TEXT NOT NULL,
    type        TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    work        TEXT NOT NULL,
    enabled     INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  INTEGER NOT NULL,
    updated_by  TEXT NOT NULL,
    deleted_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tasks_name ON tasks (name) WHERE deleted_at = 0;
CREATE INDEX tasks_plugin ON tasks (plugin) WHERE deleted_at = 0;

CREATE TABLE runs (
    id            TEXT NOT NULL PRIMARY KEY,
    task_id       TEXT NOT NULL,
    task_name     TEXT NOT NULL,
    task_revision INTEGER NOT NULL,
    plugin        TEXT NOT NULL,
    version       TEXT NOT NULL,
    digest        TEXT NOT NULL,
    action        TEXT NOT NULL,
    target        TEXT NOT NULL,
    retry_of      TEXT NOT NULL,
    created_by    TEXT NOT NULL,
    source        TEXT NOT NULL,
    work          TEXT NOT NULL, -- '' where run_payloads has it
    total         INTEGER NOT NULL,
    planned       INTEGER NOT NULL, -- executions that are still to be inserted
    queued        INTEGER NOT NULL,
    offered       INTEGER NOT NULL,
    running       INTEGER NOT NULL,
    succeeded     INTEGER NOT NULL,
    failed        INTEGER NOT NULL,
    timed_out     INTEGER NOT NULL,
    cancelled     INTEGER NOT NULL,
    lost          INTEGER NOT NULL,
    expired       INTEGER NOT NULL,
    rejected      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    finished_at   INTEGER NOT NULL,
    status        TEXT NOT NULL GENERATED ALWAYS AS (CASE
        WHEN queued + offered + running > 0 THEN
            CASE WHEN running + succeeded + failed + timed_out + cancelled + lost + expired + rejected = 0
                 THEN 'queued' ELSE 'running' END
        WHEN succeeded + failed + timed_out + cancelled + lost + expired + rejected = 0 THEN 'queued'
        WHEN planned > 0 THEN 'running'
        WHEN failed + timed_out + lost + expired + rejected > 0 THEN 'failed'
        WHEN cancelled > 0 THEN 'cancelled'
        ELSE 'succeeded' END) STORED
) STRICT;
CREATE INDEX runs_task ON runs (task_id, id) WHERE task_id <> '';
CREATE INDEX runs_plugin ON runs (plugin, id);
CREATE INDEX runs_status ON runs (status, id) WHERE status <> 'succeeded';
CREATE INDEX runs_planned ON runs (id) WHERE planned > 0;

-- What lists never read and what is too large for the row that every step of an execution rewrites.
CREATE TABLE run_payloads (
    run_id   TEXT NOT NULL PRIMARY KEY,
    work     TEXT NOT NULL,
    labels   TEXT NOT NULL,
    left_out TEXT NOT NULL,
    plan     TEXT NOT NULL -- executions that are still to be inserted
) STRICT;

CREATE TABLE executions (
    id             TEXT NOT NULL PRIMARY KEY,
    run_id         TEXT NOT NULL,
    task_id        TEXT NOT NULL,
    task_name      TEXT NOT NULL,
    plugin         TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    digest         TEXT NOT NULL,
    action         TEXT NOT NULL,
    mode           TEXT NOT NULL,
    bound_agent    TEXT NOT NULL,
    pool           TEXT NOT NULL,
    spread         INTEGER NOT NULL, -- any(n), n > 1: no two executions of the run on one agent
    max_attempts   INTEGER NOT NULL,
    on_lost        TEXT NOT NULL,
    idempotent     INTEGER NOT NULL,
    priority       INTEGER NOT NULL,
    memory         INTEGER NOT NULL,
    timeout        INTEGER NOT NULL,
    lost_after     INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    retry_of       TEXT NOT NULL,
    created_by     TEXT NOT NULL,

    excluded         TEXT NOT NULL,
    agent_id         TEXT NOT NULL,
    agent_name       TEXT NOT NULL,
    status           TEXT NOT NULL,
    silent           INTEGER NOT NULL,
    cancelling       INTEGER NOT NULL,
    fence            INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    progress         TEXT NOT NULL,
    waiting          TEXT NOT NULL,
    reason_code      TEXT NOT NULL,
    reason_message   TEXT NOT NULL,
    status_code      INTEGER NOT NULL,
    message          TEXT NOT NULL,
    usage            TEXT NOT NULL,
    queued_at        INTEGER NOT NULL,
    offered_at       INTEGER NOT NULL,
    go_at            INTEGER NOT NULL,
    started_at       INTEGER NOT NULL,
    finished_at      INTEGER NOT NULL,
    offer_expires_at INTEGER NOT NULL,
    deadline_at      INTEGER NOT NULL,
    not_before       INTEGER NOT NULL,
    wait_until       INTEGER NOT NULL,
    cancelled_at     INTEGER NOT NULL,
    cancelled_by     TEXT NOT NULL,
    last_log         TEXT NOT NULL,
    log_seq          INTEGER NOT NULL,
    due_at           INTEGER NOT NULL -- the earliest timer that its state arms, 0 for none
) STRICT;
CREATE INDEX executions_run ON executions (run_id);
CREATE INDEX executions_task ON executions (task_id, id) WHERE task_id <> '';
CREATE INDEX executions_agent ON executions (agent_id, id) WHERE agent_id <> '';
CREATE INDEX executions_plugin ON executions (plugin, id);
CREATE INDEX executions_status ON executions (status, id) WHERE status <> 'succeeded';
CREATE INDEX executions_queued ON executions (bound_agent, pool, priority DESC, id) WHERE status = 'queued';
CREATE INDEX executions_held ON executions (agent_id, id) WHERE status IN ('offered', 'running');
CREATE INDEX executions_due ON executions (due_at) WHERE due_at > 0;
CREATE INDEX executions_cancelling ON executions (id) WHERE cancelling AND status = 'running';
CREATE UNIQUE INDEX executions_spread ON executions (run_id, agent_id) WHERE spread AND status IN ('offered', 'running');

CREATE TABLE execution_payloads (
    execution_id TEXT NOT NULL PRIMARY KEY,
    params       TEXT NOT NULL, -- '' where they are the run's
    response     TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    execution_id TEXT NOT NULL,
    id           INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    agent_name   TEXT NOT NULL,
    message      TEXT NOT NULL,
    duration     INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (execution_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    execution_id   TEXT NOT NULL,
    number         INTEGER NOT NULL,
    fence          INTEGER NOT NULL,
    agent_id       TEXT NOT NULL,
    agent_name     TEXT NOT NULL,
    status         TEXT NOT NULL,
    reason_code    TEXT NOT NULL,
    reason_message TEXT NOT NULL,
    go_at          INTEGER NOT NULL,
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER NOT NULL,
    PRIMARY KEY (execution_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE results (
    execution_id TEXT NOT NULL,
    name         TEXT NOT NULL,
    value        TEXT NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (execution_id, name)
) STRICT;

CREATE TABLE evidence (
    execution_id TEXT NOT NULL,
    id           INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (execution_id, id)
) STRICT;

CREATE TABLE log_chunks (
    execution_id TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    stream       TEXT NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (execution_id, seq)
) STRICT;

CREATE TABLE blobs (
    sha        TEXT NOT NULL PRIMARY KEY,
    data       BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX blobs_age ON blobs (created_at);

CREATE TABLE idempotency (
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    made       TEXT NOT NULL, -- id of what the first call made
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE agents (
    id              TEXT NOT NULL PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    public_key      BLOB NOT NULL UNIQUE,
    labels          TEXT NOT NULL,
    slots           INTEGER NOT NULL,
    facts           TEXT NOT NULL,
    enabled         INTEGER NOT NULL,
    drained         INTEGER NOT NULL,
    revoked         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    enrolled_by     TEXT NOT NULL,
    session_epoch   INTEGER NOT NULL,
    server_id       TEXT NOT NULL, -- of the open session, '' when none is open
    connected_at    INTEGER NOT NULL,
    disconnected_at INTEGER NOT NULL,
    last_refusal    TEXT NOT NULL,
    last_refusal_at INTEGER NOT NULL
) STRICT;
CREATE INDEX agents_server ON agents (server_id) WHERE server_id <> '';

CREATE TABLE agent_sessions (
    agent_id        TEXT NOT NULL,
    epoch           INTEGER NOT NULL,
    server_id       TEXT NOT NULL,
    incarnation     TEXT NOT NULL,
    remote_addr     TEXT NOT NULL,
    connected_at    INTEGER NOT NULL,
    disconnected_at INTEGER NOT NULL,
    cause           TEXT NOT NULL,
    PRIMARY KEY (agent_id, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_sessions_open ON agent_sessions (server_id) WHERE disconnected_at = 0;

CREATE TABLE join_tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    labels     TEXT NOT NULL,
    uses       INTEGER NOT NULL,
    max_uses   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT;

CREATE TABLE plugins (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    source      TEXT NOT NULL,
    enabled     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE plugin_versions (
    plugin     TEXT NOT NULL,
    version    TEXT NOT NULL,
    digest     TEXT NOT NULL UNIQUE,
    size       INTEGER NOT NULL,
    status     TEXT NOT NULL,
    author     TEXT NOT NULL,
    license    TEXT NOT NULL,
    manifest   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (plugin, version)
) STRICT;

CREATE TABLE modules (
    digest TEXT NOT NULL PRIMARY KEY,
    data   BLOB NOT NULL
) STRICT;

CREATE TABLE grants (
    digest       TEXT NOT NULL PRIMARY KEY,
    capabilities TEXT NOT NULL,
    granted_by   TEXT NOT NULL,
    granted_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE plugin_values (
    plugin     TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (plugin, key)
) STRICT;
CREATE INDEX plugin_values_expiry ON plugin_values (expires_at) WHERE expires_at > 0;

CREATE TABLE cache_entries (
    region     TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (region, key)
) STRICT;
CREATE INDEX cache_entries_expiry ON cache_entries (expires_at) WHERE expires_at > 0;

CREATE TABLE users (
    id              TEXT NOT NULL PRIMARY KEY,
    username        TEXT NOT NULL UNIQUE,
    email           TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    role            TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    active          INTEGER NOT NULL,
    zone            TEXT NOT NULL,
    theme           TEXT NOT NULL,
    params          TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    last_login      INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    delayed_until   INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    remote_ip  TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used  INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_user ON tokens (user_id);

-- How many executions ended in an hour; hour -1 holds how many ever did, hour 0 how many are in a live state now.
-- One row a server, so that two servers do not fight for it; readers add them up.
CREATE TABLE rollups (
    server_id TEXT NOT NULL,
    hour      INTEGER NOT NULL,
    plugin    TEXT NOT NULL,
    status    TEXT NOT NULL,
    n         INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (server_id, hour, plugin, status)
) STRICT, WITHOUT ROWID;
CREATE INDEX rollups_hour ON rollups (hour);
