# tests/journal. The plugin's sources are linked into each test, which stands between them and the host.
if PLUGIN_JOURNAL
journal_tests = tests/journal/journal_test
check_PROGRAMS += $(journal_tests)
TESTS += $(journal_tests)
journal_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/core -I$(top_srcdir)/plugins/journal
journal_test_harness = tests/journal/harness.c tests/journal/harness.h
tests_journal_journal_test_SOURCES = tests/journal/journal_test.c $(journal_test_harness) $(journal_sources) plugins/journal/io.c
tests_journal_journal_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_journal_test_LDADD = core/libpenstock.la
endif
