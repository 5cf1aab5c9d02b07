-- @daemon
SELECT
    mapping_id,
    epoch
FROM mapping_leases
WHERE daemon = @daemon
ORDER BY mapping_id;
