-- What psql's backslash commands print about built-in objects.
\dt pg_catalog.pg_cl*
\d pg_namespace
\d pg_indexes
\df pg_catalog.abs
\df upper
\da sum
\do <@
\dc sjis*
\dC integer
\dT int4
\dT+ bool
\dn pg_catalog
\db
\dg postgres
\du postgres
\dA
\dAc btree int*
\dconfig work_mem
\dconfig+ statement_timeout
\dO "C"
\dF english
\dFp
\dL sql
\dy
\drds
\ddp
\dX
\dRp
\dRs
\des
\det
\dew
\deu
\dl
\l template0
