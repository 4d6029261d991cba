-- +goose Up
-- Modules on their way into the catalogue. Their bytes lie in modules, and go when nobody needs them.
CREATE TABLE submissions (
    id         TEXT NOT NULL PRIMARY KEY,
    plugin     TEXT NOT NULL,
    version    TEXT NOT NULL,
    digest     TEXT NOT NULL,
    size       BIGINT NOT NULL,
    status     TEXT NOT NULL,
    manifest   TEXT NOT NULL,
    note       TEXT NOT NULL,
    checks     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    decided_by TEXT NOT NULL,
    comment    TEXT NOT NULL
);
CREATE UNIQUE INDEX submissions_open ON submissions (plugin, version) WHERE status = 'in_review';
CREATE INDEX submissions_status ON submissions (status, id);
CREATE INDEX submissions_author ON submissions (created_by, id);

-- Who did what to which version: the history that nobody can change through the API.
CREATE TABLE plugin_events (
    id      TEXT NOT NULL PRIMARY KEY,
    plugin  TEXT NOT NULL,
    version TEXT NOT NULL,
    digest  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    message TEXT NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX plugin_events_plugin ON plugin_events (plugin, id);

-- Signatures of published modules, one for each key that signs.
CREATE TABLE plugin_signatures (
    digest    TEXT NOT NULL,
    key_id    TEXT NOT NULL,
    signature TEXT NOT NULL,
    signed_at BIGINT NOT NULL,
    PRIMARY KEY (digest, key_id)
);

-- Which agents fetched a module.
CREATE TABLE plugin_fetches (
    digest   TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    fetches  BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (digest, agent_id)
);
