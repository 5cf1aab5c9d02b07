-- @daemon has seen a later epoch at the destination than @from_epoch, which its
-- lease on @mapping_id has: goes on with @to_epoch, if it still has the lease; @now.
UPDATE mapping_leases
SET
    epoch = @to_epoch,
    taken_at = @now
WHERE
    mapping_id = @mapping_id
    AND daemon = @daemon
    AND epoch = @from_epoch;
