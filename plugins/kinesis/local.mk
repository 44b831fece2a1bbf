# The kinesis plugin: a library, which tests and a fuzz target link too, and the module made of it.
if PLUGIN_KINESIS
EXTRA_LTLIBRARIES += plugins/kinesis/libkinesis.la
plugins_kinesis_libkinesis_la_SOURCES = \
	plugins/kinesis/kinesis.h plugins/kinesis/sequence.c plugins/kinesis/sequence.h plugins/kinesis/message.c plugins/kinesis/message.h \
	plugins/kinesis/client.c plugins/kinesis/batcher.c plugins/kinesis/batcher.h plugins/kinesis/sender.c plugins/kinesis/writer.c \
	plugins/kinesis/writer.h plugins/kinesis/source.h plugins/kinesis/source.c plugins/kinesis/shards.c plugins/kinesis/fetch.c \
	plugins/kinesis/reader.c plugins/kinesis/leases.c plugins/kinesis/admin.c plugins/kinesis/kinesis.c
plugins_kinesis_libkinesis_la_CPPFLAGS = $(AM_CPPFLAGS) $(CJSON_CFLAGS)
plugins_kinesis_libkinesis_la_CFLAGS = $(AM_CFLAGS)
plugins_kinesis_libkinesis_la_LIBADD = plugins/aws/libaws.la $(CJSON_LIBS)

plugin_LTLIBRARIES += plugins/kinesis/kinesis.la
plugins_kinesis_kinesis_la_SOURCES =
plugins_kinesis_kinesis_la_LDFLAGS = $(PLUGIN_LINK)
plugins_kinesis_kinesis_la_LIBADD = plugins/kinesis/libkinesis.la core/libpenstock.la
endif
