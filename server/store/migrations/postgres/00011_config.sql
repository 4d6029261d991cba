-- +goose Up
-- What administrators filled in for a plugin; it arrives in requests. No secrets: those have a table of their own.
CREATE TABLE plugin_configs (
    plugin     TEXT NOT NULL PRIMARY KEY,
    config     TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);
