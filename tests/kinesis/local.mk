# tests/kinesis: the plugin's parts alone.
if PLUGIN_KINESIS
check_PROGRAMS += tests/kinesis/parts_test
TESTS += tests/kinesis/parts_test
tests_kinesis_parts_test_SOURCES = tests/kinesis/parts_test.c
tests_kinesis_parts_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/plugins/kinesis
tests_kinesis_parts_test_LDADD = plugins/kinesis/libkinesis.la core/libpenstock.la
endif
EXTRA_DIST += tests/kinesis/stand_in.py
