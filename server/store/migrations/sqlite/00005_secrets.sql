-- +goose Up
-- What administrators let plugins use, and what people let plugins know: sealed with a key that is not in the database.
CREATE TABLE secrets (
    name         TEXT NOT NULL PRIMARY KEY,
    key_id       TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    updated_at   INTEGER NOT NULL,
    updated_by   TEXT NOT NULL,
    last_used    INTEGER NOT NULL,
    last_used_by TEXT NOT NULL
) STRICT;

CREATE TABLE user_params (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    category   TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, category)
) STRICT;
