-- @mapping_id, @progress, @last_tail_at, @last_whole_at, @updated_at
UPDATE verification_progress
SET
    progress = @progress,
    last_tail_at = @last_tail_at,
    last_whole_at = @last_whole_at,
    updated_at = @updated_at
WHERE mapping_id = @mapping_id;
