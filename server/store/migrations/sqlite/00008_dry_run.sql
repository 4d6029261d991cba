-- +goose Up
-- A dry run changes nothing in the world: its agent records what the plugin would have done.
ALTER TABLE executions ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0;
