-- The one that order_request.sql made: @mapping_id, @request_type,
-- @requested_by, @requested_at
SELECT MAX(request_id) AS request_id
FROM sync_requests
WHERE
    mapping_id = @mapping_id
    AND request_type = @request_type
    AND requested_by = @requested_by
    AND requested_at = @requested_at;
