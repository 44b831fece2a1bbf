# The rds plugin: a library, which tests and fuzz targets link too, and the module made of it. Each client library that is there brings its driver.
rds_drivers =
rds_cppflags =
if RDS_MYSQL
rds_drivers += plugins/rds/mysql.c
rds_cppflags += -DRDS_HAVE_MYSQL $(MARIADB_CFLAGS)
endif
if RDS_POSTGRES
rds_drivers += plugins/rds/postgres.c
rds_cppflags += -DRDS_HAVE_POSTGRES $(PQ_CFLAGS)
endif
rds_libs =
if HAVE_AWS
rds_cppflags += -DRDS_HAVE_AWS
rds_libs += plugins/aws/libaws.la
endif
EXTRA_DIST += plugins/rds/mysql.c plugins/rds/postgres.c
if PLUGIN_RDS
EXTRA_LTLIBRARIES += plugins/rds/librds.la
plugins_rds_librds_la_SOURCES = \
	plugins/rds/rds.h plugins/rds/rds.c plugins/rds/plan.c plugins/rds/ranges.c plugins/rds/reader.c plugins/rds/worker.c plugins/rds/emulate.c \
	plugins/rds/stream.c plugins/rds/watch.c plugins/rds/view.c plugins/rds/iam.c plugins/rds/db.h plugins/rds/url.h plugins/rds/url.c plugins/rds/sql.h plugins/rds/sql.c \
	plugins/rds/column.h plugins/rds/column.c plugins/rds/text.c plugins/rds/binary.c $(rds_drivers)
plugins_rds_librds_la_CPPFLAGS = $(AM_CPPFLAGS) $(rds_cppflags)
plugins_rds_librds_la_CFLAGS = $(AM_CFLAGS)
plugins_rds_librds_la_LIBADD = $(rds_libs) $(MARIADB_LIBS) $(PQ_LIBS)

plugin_LTLIBRARIES += plugins/rds/rds.la
plugins_rds_rds_la_SOURCES =
plugins_rds_rds_la_LDFLAGS = $(PLUGIN_LINK)
plugins_rds_rds_la_LIBADD = plugins/rds/librds.la core/libpenstock.la
endif
