-- @before
DELETE FROM verification_logs
WHERE
    verified_at < @before
    AND verification_id < (SELECT MIN(o.verification_id) + 5000 FROM verification_logs AS o);
