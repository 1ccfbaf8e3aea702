/* from the boolean launch function to the one that returns the pid */
DROP FUNCTION worker_spi_launch(pg_catalog.int4);
CREATE FUNCTION worker_spi_launch(index int4, dboid oid DEFAULT 0, roleoid oid DEFAULT 0, flags text[] DEFAULT '{}')
RETURNS pg_catalog.int4 STRICT
AS 'MODULE_PATHNAME', 'worker_spi_launch_pid'
LANGUAGE C;
