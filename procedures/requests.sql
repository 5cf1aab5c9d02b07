-- Orders to the daemon in one line each:
--
--     EXEC dbo.request_full_sync @mapping_id = 3;
--     EXEC dbo.request_resync @mapping_id = 3, @where_condition = N'region = 7';
--     EXEC dbo.request_verify @mapping_id = 3, @scope = N'WHOLE';
--     EXEC dbo.request_repair @mapping_id = 3, @dry_run = 1, @wait_seconds = 60;
--     EXEC dbo.request_pause @mapping_id = 3;
--     EXEC dbo.request_resume @mapping_id = 3;
--     EXEC dbo.request_skip_to_now @mapping_id = 3;
--     EXEC dbo.request_compact @mapping_id = 3;
--
-- Each adds a row to sync_requests and returns it, with the daemon's answer if
-- that comes within @wait_seconds. Within a transaction nothing is waited for,
-- because the daemon sees the row when that is committed. Whoever may EXECUTE one
-- needs no rights on the tables.
USE dbaops_dataflow;
GO

-- What they have in common.
CREATE OR ALTER PROCEDURE dbo.add_sync_request
    @mapping_id INT,
    @request_type NVARCHAR(50),
    @scope NVARCHAR(50) = NULL,
    @where_condition NVARCHAR(MAX) = NULL,
    @dry_run BIT = 0,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @message NVARCHAR(2000);
    DECLARE @request_id INT;
    DECLARE @deadline DATETIME2;

    IF NOT EXISTS (SELECT 1 FROM dbo.table_mappings AS m WHERE m.mapping_id = @mapping_id)
    BEGIN
        SET @message = CONCAT(
            N'mapping ',
            COALESCE(CAST(@mapping_id AS NVARCHAR(20)), N'NULL'),
            N' does not exist; SELECT mapping_id, source_table, dest_table FROM dbo.table_mappings shows those that do'
        );
        THROW 50001, @message, 1;
    END;

    IF UPPER(@scope) NOT IN (N'TAIL', N'WHOLE')
    BEGIN
        SET @message = CONCAT(
            N'@scope ''',
            @scope,
            N''' is not known; N''TAIL'' means the newest rows, N''WHOLE'' the whole table'
        );
        THROW 50002, @message, 1;
    END;

    IF COALESCE(@wait_seconds, -1) NOT BETWEEN 0 AND 86400
        THROW 50003, N'@wait_seconds must be a number from 0 to 86400; 0 does not wait', 1;

    INSERT INTO dbo.sync_requests (mapping_id, request_type, scope, where_condition, dry_run, requested_by)
    VALUES (@mapping_id, @request_type, UPPER(@scope), @where_condition, COALESCE(@dry_run, 0), ORIGINAL_LOGIN());
    SET @request_id = SCOPE_IDENTITY();

    SET @deadline = DATEADD(SECOND, @wait_seconds, SYSUTCDATETIME());
    WHILE
        @@TRANCOUNT = 0
        AND SYSUTCDATETIME() < @deadline
        AND EXISTS (SELECT 1 FROM dbo.sync_requests AS r WHERE r.request_id = @request_id AND r.completed_at IS NULL)
    BEGIN
        WAITFOR DELAY '00:00:00.500';
    END;

    SELECT
        r.request_id,
        r.mapping_id,
        r.request_type,
        r.state,
        r.answer
    FROM dbo.sync_requests AS r
    WHERE r.request_id = @request_id;
END;
GO

-- Load the whole table anew.
CREATE OR ALTER PROCEDURE dbo.request_full_sync
    @mapping_id INT,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'FULL_SYNC',
        @wait_seconds = @wait_seconds;
END;
GO

-- Copy those rows of the source again that meet a condition.
CREATE OR ALTER PROCEDURE dbo.request_resync
    @mapping_id INT,
    @where_condition NVARCHAR(MAX),
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    IF LTRIM(COALESCE(@where_condition, N'')) = N''
        THROW 50004, N'@where_condition is empty; give one such as N''region = 7'', or use dbo.request_full_sync', 1;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'RESYNC',
        @where_condition = @where_condition,
        @wait_seconds = @wait_seconds;
END;
GO

-- Compare the newest rows (TAIL), or all (WHOLE).
CREATE OR ALTER PROCEDURE dbo.request_verify
    @mapping_id INT,
    @scope NVARCHAR(50) = N'TAIL',
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'VERIFY',
        @scope = @scope,
        @wait_seconds = @wait_seconds;
END;
GO

-- Copy those rows again that a verification finds different; a dry run tells
-- which these are.
CREATE OR ALTER PROCEDURE dbo.request_repair
    @mapping_id INT,
    @scope NVARCHAR(50) = NULL,
    @dry_run BIT = 0,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'REPAIR',
        @scope = @scope,
        @dry_run = @dry_run,
        @wait_seconds = @wait_seconds;
END;
GO

-- Rest a mapping.
CREATE OR ALTER PROCEDURE dbo.request_pause
    @mapping_id INT,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'PAUSE',
        @wait_seconds = @wait_seconds;
END;
GO

-- Let one go on that rests, or that errors have suspended.
CREATE OR ALTER PROCEDURE dbo.request_resume
    @mapping_id INT,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'RESUME',
        @wait_seconds = @wait_seconds;
END;
GO

-- Leave out the changes up to now, and go on from here.
CREATE OR ALTER PROCEDURE dbo.request_skip_to_now
    @mapping_id INT,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'SKIP_TO_NOW',
        @wait_seconds = @wait_seconds;
END;
GO

-- Merge small files of changes, of a mapping to files or a bucket.
CREATE OR ALTER PROCEDURE dbo.request_compact
    @mapping_id INT,
    @wait_seconds INT = 0
AS
BEGIN
    SET NOCOUNT ON;
    EXEC dbo.add_sync_request
        @mapping_id = @mapping_id,
        @request_type = N'COMPACT',
        @wait_seconds = @wait_seconds;
END;
GO
