-- +goose Up
-- Files that attempts left behind. Lists read all but data, which comes last so that they need not pass over it.
CREATE TABLE artifacts (
    execution_id TEXT NOT NULL,
    name         TEXT NOT NULL,
    attempt      BIGINT NOT NULL,
    media_type   TEXT NOT NULL,
    size         BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    data         BYTEA NOT NULL,
    PRIMARY KEY (execution_id, name, attempt)
);
