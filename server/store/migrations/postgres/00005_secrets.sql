-- +goose Up
-- What administrators let plugins use, and what people let plugins know: sealed with a key that is not in the database.
CREATE TABLE secrets (
    name         TEXT NOT NULL PRIMARY KEY,
    key_id       TEXT NOT NULL,
    sealed       BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    updated_at   BIGINT NOT NULL,
    updated_by   TEXT NOT NULL,
    last_used    BIGINT NOT NULL,
    last_used_by TEXT NOT NULL
);

CREATE TABLE user_params (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    category   TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, category)
);
