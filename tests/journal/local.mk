# tests/journal. The plugin's sources are linked into each test, which stands between them and the host.
if PLUGIN_JOURNAL
journal_tests = tests/journal/journal_test tests/journal/damage_test tests/journal/retention_test tests/journal/power_test \
	tests/journal/crash_test tests/journal/seal_test
check_PROGRAMS += $(journal_tests)
TESTS += $(journal_tests)
journal_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/core -I$(top_srcdir)/plugins/journal
check_LTLIBRARIES += tests/journal/libharness.la
tests_journal_libharness_la_SOURCES = tests/journal/harness.c tests/journal/harness.h $(journal_sources)
tests_journal_libharness_la_CPPFLAGS = $(journal_test_cppflags)
tests_journal_libharness_la_LIBADD = core/libpenstock.la
tests_journal_journal_test_SOURCES = tests/journal/journal_test.c plugins/journal/io.c
tests_journal_journal_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_journal_test_LDADD = tests/journal/libharness.la
tests_journal_damage_test_SOURCES = tests/journal/damage_test.c plugins/journal/io.c
tests_journal_damage_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_damage_test_LDADD = tests/journal/libharness.la
tests_journal_retention_test_SOURCES = tests/journal/retention_test.c plugins/journal/io.c
tests_journal_retention_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_retention_test_LDADD = tests/journal/libharness.la
tests_journal_seal_test_SOURCES = tests/journal/seal_test.c plugins/journal/io.c
tests_journal_seal_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_seal_test_LDADD = tests/journal/libharness.la
tests_journal_power_test_SOURCES = tests/journal/power_test.c tests/journal/lossy_disk.c tests/journal/lossy_disk.h
tests_journal_power_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_power_test_LDADD = tests/journal/libharness.la
tests_journal_crash_test_SOURCES = tests/journal/crash_test.c plugins/journal/io.c
tests_journal_crash_test_CPPFLAGS = $(journal_test_cppflags)
tests_journal_crash_test_LDADD = tests/journal/libharness.la

# Figures, not checks: tests/bench/journal_rate FOLDER [MB].
EXTRA_PROGRAMS += tests/bench/journal_rate
tests_bench_journal_rate_SOURCES = tests/bench/journal_rate.c $(journal_sources) plugins/journal/io.c
tests_bench_journal_rate_CPPFLAGS = $(journal_test_cppflags)
tests_bench_journal_rate_LDADD = core/libpenstock.la
endif
