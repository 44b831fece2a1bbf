# The file plugin.
file_sources = plugins/file/file.h plugins/file/listing.c plugins/file/objects.c plugins/file/catalog.c plugins/file/known.c plugins/file/source.c plugins/file/stream.c \
	plugins/file/reader.h plugins/file/reader.c plugins/file/lines.c plugins/file/csv.h plugins/file/csv.c plugins/file/replay.h plugins/file/replay.c \
	plugins/file/sink.h plugins/file/sink.c plugins/file/rows.c plugins/file/output.c plugins/file/publish.c plugins/file/file.c
if PLUGIN_FILE
plugin_LTLIBRARIES += plugins/file/file.la
plugins_file_file_la_SOURCES = $(file_sources)
plugins_file_file_la_CPPFLAGS = $(AM_CPPFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS)
plugins_file_file_la_LDFLAGS = $(PLUGIN_LINK)
plugins_file_file_la_LIBADD = core/libpenstock.la $(ZSTD_LIBS) $(ZLIB_LIBS)
endif
