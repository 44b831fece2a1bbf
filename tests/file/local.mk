# tests/file. The sources of the plugins are built into the tests, which bring an intake of their own.
if PLUGIN_FILE
check_PROGRAMS += tests/file/source_test tests/file/torture_test
TESTS += tests/file/source_test tests/file/torture_test tests/file/objects.py
endif
if PLUGIN_GENERATE
check_PROGRAMS += tests/file/generate_test
TESTS += tests/file/generate_test tests/file/generate_test.py
if PLUGIN_FILE
TESTS += tests/file/pipeline_test.sh tests/file/follow_test.py tests/file/sink_test.py
endif
endif
EXTRA_DIST += tests/file/objects.py tests/file/generate_test.py tests/file/pipeline_test.sh tests/file/follow_test.py tests/file/sink_test.py
tests_file_driver = tests/file/driver.c tests/file/driver.h tests/tap.h
tests_file_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core -I$(top_srcdir)
tests_file_source_test_SOURCES = tests/file/source_test.c $(tests_file_driver) $(file_sources)
tests_file_source_test_CPPFLAGS = $(tests_file_CPPFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS)
tests_file_source_test_LDADD = core/libpenstock.la $(ZSTD_LIBS) $(ZLIB_LIBS)
tests_file_generate_test_SOURCES = tests/file/generate_test.c $(tests_file_driver) $(generate_sources)
tests_file_generate_test_CPPFLAGS = $(tests_file_CPPFLAGS)
tests_file_generate_test_LDADD = core/libpenstock.la
tests_file_torture_test_SOURCES = tests/file/torture_test.c tests/malloc_fails.h tests/tap.h $(file_sources)
tests_file_torture_test_CPPFLAGS = $(tests_file_CPPFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS)
tests_file_torture_test_LDADD = core/libpenstock.la $(ZSTD_LIBS) $(ZLIB_LIBS)
