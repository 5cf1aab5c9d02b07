-- Those that the destination had no more at @mirrored_at: @mapping_id,
-- @resolved_at
UPDATE apply_exceptions
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    mapping_id = @mapping_id
    AND is_resolved = 0
    AND (mirrored_at IS NULL OR mirrored_at < @mirrored_at);
