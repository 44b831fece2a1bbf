# tests/delta: the stores, and the delta plugin.
check_PROGRAMS += tests/delta/test_store
TESTS += tests/delta/test_store
tests_delta_test_store_SOURCES = tests/delta/test_store.c
tests_delta_test_store_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core -I$(top_srcdir)/tests
tests_delta_test_store_LDADD = core/libpenstock.la
