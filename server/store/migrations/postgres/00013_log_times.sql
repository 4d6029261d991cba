-- +goose Up
-- The time of an execution's newest log line, in microseconds: chunks travel unequally long, and none begins earlier.
ALTER TABLE executions ADD COLUMN log_at BIGINT NOT NULL DEFAULT 0;
