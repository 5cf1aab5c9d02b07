-- @request_id, @state, @answer, @started_at, @completed_at
UPDATE sync_requests
SET
    state = @state,
    answer = @answer,
    started_at = COALESCE(started_at, @started_at),
    completed_at = @completed_at
WHERE request_id = @request_id;
