-- @mapping_id, @state, @reason, @lag_ms, @is_consistent, @position,
-- @rows_applied, @next_attempt_at, @daemon, @updated_at, @current_at. What a worker
-- does not know yet of the position and of @current_at is kept.
UPDATE mapping_state
SET
    state = @state,
    reason = @reason,
    lag_seconds = @lag_ms / 1000.0,
    is_consistent = @is_consistent,
    position = COALESCE(@position, position),
    rows_applied = @rows_applied,
    next_attempt_at = @next_attempt_at,
    daemon = @daemon,
    updated_at = @updated_at,
    current_at = COALESCE(@current_at, current_at)
WHERE mapping_id = @mapping_id;
