-- @before
DELETE FROM apply_exceptions
WHERE
    is_resolved = 1
    AND resolved_at < @before;
