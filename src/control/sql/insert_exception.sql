-- A row that was put aside, unless update_exception.sql found it: @exception_id,
-- @mapping_id, @operation, @row_key, @position, @error_number, @reason,
-- @created_at, @mirrored_at
INSERT INTO apply_exceptions (
    exception_id, mapping_id, operation, row_key, position, error_number,
    reason, created_at, mirrored_at
)
SELECT
    @exception_id,
    @mapping_id,
    @operation,
    @row_key,
    @position,
    @error_number,
    @reason,
    @created_at,
    @mirrored_at
WHERE NOT EXISTS (
    SELECT 1
    FROM apply_exceptions
    WHERE exception_id = @exception_id
);
