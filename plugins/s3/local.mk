# The s3 plugin: a library, which tests and fuzz targets link too, and the module made of it. SPDX-License-Identifier: Apache-2.0
if PLUGIN_S3
EXTRA_LTLIBRARIES += plugins/s3/libs3.la
plugins_s3_libs3_la_SOURCES = plugins/s3/s3.h plugins/s3/s3.c plugins/s3/request.c plugins/s3/object.c plugins/s3/list.h plugins/s3/list.c \
	plugins/s3/parts.h plugins/s3/parts.c plugins/s3/upload.h plugins/s3/upload.c plugins/s3/pool.c \
	plugins/s3/archive.h plugins/s3/archive.c plugins/s3/archive_names.c plugins/s3/archive_entry.c plugins/s3/archive_group.c plugins/s3/archive_object.c \
	plugins/s3/archive_write.c plugins/s3/archive_shown.c plugins/s3/archive_publish.c plugins/s3/archive_clean.c \
	plugins/s3/layout.h plugins/s3/layout.c plugins/s3/field.h plugins/s3/field.c plugins/s3/zone.h plugins/s3/zone.c \
	plugins/s3/bucket.h plugins/s3/bucket.c plugins/s3/rules.h plugins/s3/rules.c plugins/s3/admin.h plugins/s3/admin.c
plugins_s3_libs3_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/plugins -I$(top_srcdir)/plugins/parquet $(ZLIB_CFLAGS) $(ZSTD_CFLAGS) $(CJSON_CFLAGS)
plugins_s3_libs3_la_CFLAGS = $(AM_CFLAGS)
plugins_s3_libs3_la_LIBADD = plugins/aws/libaws.la plugins/parquet/libparquet.la $(ZLIB_LIBS) $(ZSTD_LIBS) $(CJSON_LIBS)

plugin_LTLIBRARIES += plugins/s3/s3.la
plugins_s3_s3_la_SOURCES =
plugins_s3_s3_la_LDFLAGS = $(PLUGIN_LINK)
plugins_s3_s3_la_LIBADD = plugins/s3/libs3.la core/libpenstock.la
endif
