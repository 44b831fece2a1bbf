# The delta plugin: a library, which tests and fuzz targets link too, and the module made of it.
if PLUGIN_DELTA
EXTRA_LTLIBRARIES += plugins/delta/libdelta.la
plugins_delta_libdelta_la_SOURCES = \
	plugins/delta/json.c plugins/delta/json.h plugins/delta/action.c plugins/delta/index.c plugins/delta/state.c plugins/delta/log.c plugins/delta/log.h \
	plugins/delta/schema.c plugins/delta/schema.h plugins/delta/stats.c plugins/delta/stats.h plugins/delta/input.c plugins/delta/input.h \
	plugins/delta/checkpoint.c plugins/delta/checkpoint_read.c plugins/delta/cleanup.c plugins/delta/table_open.c plugins/delta/commit.c \
	plugins/delta/maintain.c plugins/delta/delta.h plugins/delta/partition.c plugins/delta/scan.c plugins/delta/scan.h \
	plugins/delta/delta.c plugins/delta/source.c plugins/delta/table.c plugins/delta/verbs.c plugins/delta/ends.h
plugins_delta_libdelta_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/plugins/parquet
plugins_delta_libdelta_la_CFLAGS = $(AM_CFLAGS)
plugins_delta_libdelta_la_LIBADD = plugins/parquet/libparquet.la

plugin_LTLIBRARIES += plugins/delta/delta.la
plugins_delta_delta_la_SOURCES =
plugins_delta_delta_la_LDFLAGS = $(PLUGIN_LINK)
plugins_delta_delta_la_LIBADD = plugins/delta/libdelta.la core/libpenstock.la
endif
