-- @daemon takes over from @other, unless that one has shown a sign of life
-- after its @beats; @now.
UPDATE mapping_leases
SET
    daemon = @daemon,
    epoch = epoch + 1,
    taken_at = @now
WHERE
    daemon = @other
    AND NOT EXISTS (
        SELECT 1
        FROM daemons AS d
        WHERE d.daemon = @other AND d.stopped_at IS NULL AND d.beats <> @beats
    );
