# tests/file. The sources of the plugin are built into the tests, which bring an intake of their own.
if PLUGIN_FILE
check_PROGRAMS += tests/file/source_test
TESTS += tests/file/source_test
tests_file_source_test_SOURCES = tests/file/source_test.c tests/file/driver.c tests/file/driver.h tests/tap.h $(file_sources)
tests_file_source_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core $(ZSTD_CFLAGS) $(ZLIB_CFLAGS) -I$(top_srcdir)
tests_file_source_test_LDADD = core/libpenstock.la $(ZSTD_LIBS) $(ZLIB_LIBS)
endif
