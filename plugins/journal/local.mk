# The journal plugin: a durable local log.
journal_sources = \
	plugins/journal/acquire.c plugins/journal/admin.c plugins/journal/block.c plugins/journal/block.h plugins/journal/crc32c.c \
	plugins/journal/crc32c.h plugins/journal/cursor.c plugins/journal/cursor.h plugins/journal/ends.h plugins/journal/folder.c \
	plugins/journal/format.c plugins/journal/format.h plugins/journal/io.h plugins/journal/journal.c plugins/journal/log.c \
	plugins/journal/log.h plugins/journal/open.c plugins/journal/reader.c plugins/journal/retention.c plugins/journal/seal.c plugins/journal/sink.c \
	plugins/journal/sink.h plugins/journal/state.c plugins/journal/stored.c plugins/journal/stored.h plugins/journal/writer.c
if PLUGIN_JOURNAL
plugin_LTLIBRARIES += plugins/journal/journal.la
plugins_journal_journal_la_SOURCES = $(journal_sources) plugins/journal/io.c
plugins_journal_journal_la_LDFLAGS = $(PLUGIN_LINK)
plugins_journal_journal_la_LIBADD = core/libpenstock.la
endif
