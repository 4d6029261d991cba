-- +goose Up
-- Which runs get a version, and whether it is held.
ALTER TABLE plugin_versions ADD COLUMN ring TEXT NOT NULL DEFAULT 'all';
ALTER TABLE plugin_versions ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE plugin_versions ADD COLUMN ring_note TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_versions ADD COLUMN ring_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE plugin_versions ADD COLUMN ring_by TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_versions ADD COLUMN watch_until BIGINT NOT NULL DEFAULT 0;

-- Whether how an execution ends counts when versions are compared, and what was counted since the rings moved.
ALTER TABLE executions ADD COLUMN on_trial BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE plugin_outcomes (
    server_id TEXT NOT NULL,
    plugin    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed    BIGINT NOT NULL,
    PRIMARY KEY (server_id, plugin, digest)
);
