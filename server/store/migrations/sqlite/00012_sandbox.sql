-- +goose Up
-- The least that an execution's sandbox must be, '' for any, and where its clock and its random numbers begin: a time as
-- RFC 3339 and a number, '' for the real ones.
ALTER TABLE executions ADD COLUMN sandbox TEXT NOT NULL DEFAULT '';
ALTER TABLE executions ADD COLUMN clock TEXT NOT NULL DEFAULT '';
ALTER TABLE executions ADD COLUMN seed TEXT NOT NULL DEFAULT '';
