# tests/delta: the stores, and the delta plugin.
check_PROGRAMS += tests/delta/test_store
TESTS += tests/delta/test_store
tests_delta_test_store_SOURCES = tests/delta/test_store.c
tests_delta_test_store_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core -I$(top_srcdir)/tests
tests_delta_test_store_LDADD = core/libpenstock.la

if PLUGIN_DELTA
DELTA_TESTS = tests/delta/test_log tests/delta/test_schema tests/delta/test_commit tests/delta/test_source
check_PROGRAMS += $(DELTA_TESTS) tests/delta/write_table
TESTS += $(DELTA_TESTS)
DELTA_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core -I$(top_srcdir)/tests -I$(top_srcdir)/plugins/delta -I$(top_srcdir)/plugins/parquet
DELTA_TEST_LDADD = plugins/delta/libdelta.la core/libpenstock.la
tests_delta_test_log_SOURCES = tests/delta/test_log.c tests/delta/delta_test.h
tests_delta_test_log_CPPFLAGS = $(DELTA_TEST_CPPFLAGS)
tests_delta_test_log_LDADD = $(DELTA_TEST_LDADD)
tests_delta_test_schema_SOURCES = tests/delta/test_schema.c
tests_delta_test_schema_CPPFLAGS = $(DELTA_TEST_CPPFLAGS)
tests_delta_test_schema_LDADD = $(DELTA_TEST_LDADD)
tests_delta_test_commit_SOURCES = tests/delta/test_commit.c tests/delta/delta_test.h
tests_delta_test_commit_CPPFLAGS = $(DELTA_TEST_CPPFLAGS)
tests_delta_test_commit_LDADD = $(DELTA_TEST_LDADD)
tests_delta_test_source_SOURCES = tests/delta/test_source.c tests/delta/delta_test.h
tests_delta_test_source_CPPFLAGS = $(DELTA_TEST_CPPFLAGS)
tests_delta_test_source_LDADD = $(DELTA_TEST_LDADD)
tests_delta_write_table_SOURCES = tests/delta/write_table.c
tests_delta_write_table_CPPFLAGS = $(DELTA_TEST_CPPFLAGS)
tests_delta_write_table_LDADD = $(DELTA_TEST_LDADD)
endif
EXTRA_DIST += tests/delta/readers.py tests/delta/test_readers.py tests/delta/test_golden.py tests/delta/test_kill.py
TESTS += tests/delta/test_readers.py tests/delta/test_golden.py tests/delta/test_kill.py
