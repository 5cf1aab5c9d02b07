-- DBAOps DataFlow: the login with which the daemon works in the control database
-- (DEST_USER), with the rights that it needs and no others. For SQL Server 2016 SP1
-- to 2022, Azure SQL Managed Instance and Azure SQL Database.
--
-- First a DBA makes the control tables, with `dbaops-dataflow init` or sqlcmd and
-- the files schema-dataflow.sql, views/ and procedures/. Then change the lines
-- between the two rulers, and run this in SSMS or with sqlcmd. Running it again
-- changes nothing else; do so after an upgrade of the control tables.
--
-- The daemon cannot change what people write: connection strings, settings, which
-- tables are mapped, who is notified.
--
-- The same login writes the destination databases of mappings that have no target_id:
-- least-privilege-destination.sql.

------------------------------------------------------------------- change

-- DEST_DATABASE. In Azure SQL Database, which has no USE, leave this out and
-- connect to it.
USE [dbaops_dataflow];
GO

-- DEST_USER. The password counts only where the login does not exist yet.
DECLARE @login sysname = N'dataflow_writer';
DECLARE @password NVARCHAR(128) = N'';

----------------------------------------------------- nothing to change below

SET NOCOUNT ON;
SET XACT_ABORT ON;

DECLARE @is_azure BIT = CASE WHEN CAST(SERVERPROPERTY('EngineEdition') AS INT) = 5 THEN 1 ELSE 0 END;
DECLARE @user NVARCHAR(258) = QUOTENAME(@login);
DECLARE @secret NVARCHAR(300) = N'N''' + REPLACE(@password, N'''', N'''''') + N'''';
DECLARE @sql NVARCHAR(MAX);
DECLARE @problem NVARCHAR(2000);

IF OBJECT_ID(N'dbo.mapping_leases', N'U') IS NULL
    SET @problem = N'there are no control tables in ' + DB_NAME() + N': run dbaops-dataflow init first';

IF @problem IS NULL AND @is_azure = 0 AND SUSER_ID(@login) IS NULL AND @password = N''
    SET @problem = N'login ' + @user + N' does not exist; set @password to have it made';

IF @problem IS NOT NULL
    THROW 50000, @problem, 1;

-- The login, the user, and a role for the grants. In Azure SQL Database the user
-- has the password itself.
IF @is_azure = 0 AND SUSER_ID(@login) IS NULL
BEGIN
    SET @sql = N'CREATE LOGIN ' + @user + N' WITH PASSWORD = ' + @secret;
    EXEC sys.sp_executesql @sql;
END;

BEGIN TRANSACTION;

IF DATABASE_PRINCIPAL_ID(@login) IS NULL
BEGIN
    SET @sql = N'CREATE USER ' + @user
        + CASE WHEN @is_azure = 1 THEN N' WITH PASSWORD = ' + @secret ELSE N' FOR LOGIN ' + @user END;
    EXEC sys.sp_executesql @sql;
END;

IF DATABASE_PRINCIPAL_ID(N'dataflow_control') IS NULL
    CREATE ROLE dataflow_control;

SET @sql = N'ALTER ROLE dataflow_control ADD MEMBER ' + @user;
EXEC sys.sp_executesql @sql;

-- What people write, the daemon reads.
GRANT SELECT ON OBJECT::dbo.installation TO dataflow_control;
GRANT SELECT ON OBJECT::dbo.config TO dataflow_control;
GRANT SELECT ON OBJECT::dbo.source_servers TO dataflow_control;
GRANT SELECT ON OBJECT::dbo.target_servers TO dataflow_control;
GRANT SELECT ON OBJECT::dbo.table_mappings TO dataflow_control;
GRANT SELECT ON OBJECT::dbo.notification_channels TO dataflow_control;

-- When a server was last reached.
GRANT UPDATE (last_connected_at) ON OBJECT::dbo.source_servers TO dataflow_control;
GRANT UPDATE (last_connected_at) ON OBJECT::dbo.target_servers TO dataflow_control;

-- How far a mapping is; PAUSE and RESUME; what is done about errors (SUSPEND, STOP).
GRANT UPDATE (last_cdc_lsn, last_full_sync_at) ON OBJECT::dbo.table_mappings TO dataflow_control;
GRANT UPDATE (is_paused, is_suspended, suspended_reason, is_enabled) ON OBJECT::dbo.table_mappings TO dataflow_control;

-- When a channel last took a message, and what it said if it did not.
GRANT UPDATE (last_success_at, last_error) ON OBJECT::dbo.notification_channels TO dataflow_control;

-- Orders: answers, those that commands such as `dbaops-dataflow sync` give, and
-- log_retention_days.
GRANT SELECT, INSERT, DELETE ON OBJECT::dbo.sync_requests TO dataflow_control;
GRANT UPDATE (state, answer, started_at, completed_at) ON OBJECT::dbo.sync_requests TO dataflow_control;

-- Who runs, and who works on what.
GRANT SELECT, INSERT, UPDATE, DELETE ON OBJECT::dbo.daemons TO dataflow_control;
GRANT SELECT, INSERT, UPDATE ON OBJECT::dbo.mapping_leases TO dataflow_control;

-- What happens, and what happened; DELETE is log_retention_days.
GRANT SELECT, INSERT, UPDATE ON OBJECT::dbo.mapping_state TO dataflow_control;
GRANT SELECT, INSERT, UPDATE ON OBJECT::dbo.verification_progress TO dataflow_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON OBJECT::dbo.sync_status TO dataflow_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON OBJECT::dbo.error_logs TO dataflow_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON OBJECT::dbo.apply_exceptions TO dataflow_control;
GRANT SELECT, INSERT, DELETE ON OBJECT::dbo.verification_logs TO dataflow_control;
GRANT SELECT, INSERT, DELETE ON OBJECT::dbo.sync_logs TO dataflow_control;
GRANT SELECT, INSERT, DELETE ON OBJECT::dbo.notifications TO dataflow_control;

COMMIT TRANSACTION;
GO
