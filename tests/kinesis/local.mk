# tests/kinesis: the plugin's parts alone, then whole pipelines against a stand-in.
if PLUGIN_KINESIS
check_PROGRAMS += tests/kinesis/parts_test
TESTS += tests/kinesis/parts_test $(kinesis_tests)
tests_kinesis_parts_test_SOURCES = tests/kinesis/parts_test.c
tests_kinesis_parts_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/plugins/kinesis
tests_kinesis_parts_test_LDADD = plugins/kinesis/libkinesis.la core/libpenstock.la
endif
kinesis_tests = tests/kinesis/writer_test.py tests/kinesis/reader_test.py tests/kinesis/table_test.py tests/kinesis/verbs_test.py \
	tests/kinesis/service_test.py tests/kinesis/streaming_test.sh
EXTRA_DIST += tests/kinesis/stand_in.py tests/kinesis/pipes.py $(kinesis_tests)
