-- +goose Up
-- Failures of one task, agent or plugin: few among very many, and nothing that a successful execution pays for.
CREATE INDEX executions_task_failures ON executions (task_id, status, id)
    WHERE task_id <> '' AND status IN ('failed', 'timed_out', 'cancelled', 'lost', 'expired', 'rejected');
CREATE INDEX executions_agent_failures ON executions (agent_id, status, id)
    WHERE agent_id <> '' AND status IN ('failed', 'timed_out', 'cancelled', 'lost', 'expired', 'rejected');
CREATE INDEX executions_plugin_failures ON executions (plugin, status, id)
    WHERE plugin <> '' AND status IN ('failed', 'timed_out', 'cancelled', 'lost', 'expired', 'rejected');
CREATE INDEX runs_task_failures ON runs (task_id, status, id) WHERE task_id <> '' AND status IN ('failed', 'cancelled');
