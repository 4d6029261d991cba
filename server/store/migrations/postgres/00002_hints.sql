-- +goose Up
-- What each commit changed, for the servers that no bus reaches: they look each second. Rows are of no use after a
-- minute and are deleted then.
CREATE TABLE hints (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer TEXT NOT NULL,
    at     BIGINT NOT NULL,
    body   TEXT NOT NULL
);
