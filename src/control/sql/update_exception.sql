-- A row that was put aside still stands: @exception_id, @mirrored_at
UPDATE apply_exceptions
SET
    is_resolved = 0,
    resolved_at = NULL,
    mirrored_at = @mirrored_at
WHERE exception_id = @exception_id;
