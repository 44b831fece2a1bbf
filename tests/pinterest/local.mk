# The cleaners: case tables, and whole files and tables against an independent reference.
EXTRA_DIST += tests/pinterest/driver.h tests/pinterest/reference.py tests/pinterest/compare.py tests/pinterest/reference_test.py \
	tests/pinterest/clean_lines.py tests/pinterest/pipeline.py
TESTS += tests/pinterest/reference_test.py
if PLUGIN_PIN
if PLUGIN_GEO
if PLUGIN_USER
pinterest_test_sources = tests/pinterest/driver.h tests/pinterest/driver.c plugins/pin/pin.c plugins/geo/geo.c plugins/user/user.c
pinterest_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/core
pinterest_test_ldadd = plugins/pinterest/libclean.la core/libpenstock.la
check_PROGRAMS += tests/pinterest/cleaners_test tests/pinterest/typed_test tests/pinterest/torture_test \
	tests/pinterest/clean_lines
tests_pinterest_cleaners_test_SOURCES = tests/pinterest/cleaners_test.c tests/tap.h $(pinterest_test_sources)
tests_pinterest_cleaners_test_CPPFLAGS = $(pinterest_test_cppflags)
tests_pinterest_cleaners_test_LDADD = $(pinterest_test_ldadd)
tests_pinterest_typed_test_SOURCES = tests/pinterest/typed_test.c tests/tap.h $(pinterest_test_sources)
tests_pinterest_typed_test_CPPFLAGS = $(pinterest_test_cppflags)
tests_pinterest_typed_test_LDADD = $(pinterest_test_ldadd)
tests_pinterest_torture_test_SOURCES = tests/pinterest/torture_test.c tests/tap.h $(pinterest_test_sources)
tests_pinterest_torture_test_CPPFLAGS = $(pinterest_test_cppflags)
tests_pinterest_torture_test_LDADD = $(pinterest_test_ldadd)
tests_pinterest_clean_lines_SOURCES = tests/pinterest/clean_lines.c $(pinterest_test_sources)
tests_pinterest_clean_lines_CPPFLAGS = $(pinterest_test_cppflags)
tests_pinterest_clean_lines_LDADD = $(pinterest_test_ldadd)
TESTS += tests/pinterest/cleaners_test tests/pinterest/typed_test tests/pinterest/torture_test \
	tests/pinterest/clean_lines.py tests/pinterest/pipeline.py
endif
endif
endif
