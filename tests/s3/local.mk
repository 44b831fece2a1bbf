# tests/s3: the store against real servers. SPDX-License-Identifier: Apache-2.0
s3_tests = tests/s3/store_test.py tests/s3/pipeline_test.py tests/s3/kills_test.py tests/s3/archive.py tests/s3/folders.py tests/s3/admin.py
if PLUGIN_S3
check_PROGRAMS += tests/s3/store_check tests/s3/layout_test
tests_s3_store_check_SOURCES = tests/s3/store_check.c
tests_s3_store_check_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/core -I$(top_srcdir)/plugins
tests_s3_store_check_LDADD = plugins/s3/libs3.la core/libpenstock.la
tests_s3_layout_test_SOURCES = tests/s3/layout_test.c
tests_s3_layout_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/core -I$(top_srcdir)/plugins
tests_s3_layout_test_LDADD = plugins/s3/libs3.la core/libpenstock.la
TESTS += tests/s3/layout_test $(s3_tests)
if PLUGIN_KAFKA
TESTS += tests/s3/long_haul.py
endif
endif
EXTRA_DIST += $(s3_tests) tests/s3/archives.py tests/s3/lake.py tests/s3/long_haul.py tests/services/lossy_proxy.py
