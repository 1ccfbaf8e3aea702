/* worker_spi 1.0: launching as in 2013, whether there was a free slot */
CREATE FUNCTION worker_spi_launch(pg_catalog.int4)
RETURNS pg_catalog.bool STRICT
AS 'MODULE_PATHNAME', 'worker_spi_launch'
LANGUAGE C;
