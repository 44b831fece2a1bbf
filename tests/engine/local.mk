# tests/engine.
check_PROGRAMS += tests/engine/chain_test
TESTS += tests/engine/chain_test
tests_engine_chain_test_SOURCES = tests/engine/chain_test.c
tests_engine_chain_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core -I$(top_srcdir)/tests
tests_engine_chain_test_LDADD = core/libpenstock.la

if PLUGIN_FILE
if PLUGIN_GENERATE
if PLUGIN_JOURNAL
TESTS += tests/engine/only.sh
endif
endif
endif
EXTRA_DIST += tests/engine/only.sh
