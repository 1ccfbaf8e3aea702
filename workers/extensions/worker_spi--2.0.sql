/* worker_spi 2.0: launching as in PostgreSQL 17, the pid */
CREATE FUNCTION worker_spi_launch(index int4, dboid oid DEFAULT 0, roleoid oid DEFAULT 0, flags text[] DEFAULT '{}')
RETURNS pg_catalog.int4 STRICT
AS 'MODULE_PATHNAME', 'worker_spi_launch_pid'
LANGUAGE C;
