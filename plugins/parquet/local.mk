# The parquet plugin, and the library of Parquet files that it shares with delta. SPDX-License-Identifier: Apache-2.0
EXTRA_LTLIBRARIES += plugins/parquet/libparquet.la
plugins_parquet_libparquet_la_SOURCES = plugins/parquet/parquet.h plugins/parquet/files.h \
	plugins/parquet/format.h plugins/parquet/thrift.h plugins/parquet/thrift.c \
	plugins/parquet/encode.h plugins/parquet/encode.c plugins/parquet/codec.h plugins/parquet/codec.c \
	plugins/parquet/leaf.h plugins/parquet/leaf.c plugins/parquet/shred.c \
	plugins/parquet/bounds.h plugins/parquet/bounds.c plugins/parquet/dict.h plugins/parquet/dict.c \
	plugins/parquet/column.h plugins/parquet/column.c plugins/parquet/writer.c \
	plugins/parquet/footer.h plugins/parquet/footer.c plugins/parquet/tree.c \
	plugins/parquet/decode.h plugins/parquet/decode.c plugins/parquet/page.h plugins/parquet/page.c plugins/parquet/values.c \
	plugins/parquet/assemble.h plugins/parquet/assemble.c plugins/parquet/reader.c \
	plugins/parquet/partition.h plugins/parquet/partition.c plugins/parquet/files.c
plugins_parquet_libparquet_la_CPPFLAGS = $(AM_CPPFLAGS) $(ZSTD_CFLAGS)
plugins_parquet_libparquet_la_CFLAGS = $(AM_CFLAGS)
plugins_parquet_libparquet_la_LDFLAGS = $(AM_LDFLAGS)
plugins_parquet_libparquet_la_LIBADD = $(ZSTD_LIBS) $(SNAPPY_LIBS)

if PLUGIN_PARQUET
plugin_LTLIBRARIES += plugins/parquet/parquet.la
plugins_parquet_parquet_la_SOURCES = plugins/parquet/plugin.h plugins/parquet/parquet.c plugins/parquet/sink.c plugins/parquet/source.c \
	plugins/parquet/dataset.c plugins/parquet/messages.c plugins/parquet/table.c
plugins_parquet_parquet_la_LDFLAGS = $(PLUGIN_LINK)
plugins_parquet_parquet_la_LIBADD = plugins/parquet/libparquet.la core/libpenstock.la
endif
