-- +goose Up
-- How much a plugin may execute. What it used is part of usage.
ALTER TABLE executions ADD COLUMN fuel BIGINT NOT NULL DEFAULT 0;
