-- +goose Up
-- Which runs get a version, and whether it is held.
ALTER TABLE plugin_versions ADD COLUMN ring TEXT NOT NULL DEFAULT 'all';
ALTER TABLE plugin_versions ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plugin_versions ADD COLUMN ring_note TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_versions ADD COLUMN ring_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plugin_versions ADD COLUMN ring_by TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_versions ADD COLUMN watch_until INTEGER NOT NULL DEFAULT 0;

-- Whether how an execution ends counts when versions are compared, and what was counted since the rings moved.
ALTER TABLE executions ADD COLUMN on_trial INTEGER NOT NULL DEFAULT 0;
CREATE TABLE plugin_outcomes (
    server_id TEXT NOT NULL,
    plugin    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    succeeded INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    PRIMARY KEY (server_id, plugin, digest)
) STRICT;
