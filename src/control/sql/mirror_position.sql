-- @mapping_id, @last_cdc_lsn: for people. The destination's own checkpoint is
-- what counts.
UPDATE table_mappings
SET last_cdc_lsn = @last_cdc_lsn
WHERE mapping_id = @mapping_id;
