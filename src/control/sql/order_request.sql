-- A DBA's order; of a mapping that does not exist none is taken: @mapping_id,
-- @request_type, @scope, @where_condition, @dry_run, @requested_by,
-- @requested_at
INSERT INTO sync_requests (
    mapping_id, request_type, scope, where_condition, dry_run, requested_by,
    requested_at
)
SELECT
    m.mapping_id,
    @request_type,
    @scope,
    @where_condition,
    @dry_run,
    @requested_by,
    @requested_at
FROM table_mappings AS m
WHERE m.mapping_id = @mapping_id;
