# tests/data: batches, builders, JSON. SPDX-License-Identifier: Apache-2.0
data_tests = tests/data/batch_test tests/data/encode_test tests/data/json_kernels_test tests/data/json_suite_test tests/data/json_test \
	tests/data/memory_test tests/data/times_test
check_PROGRAMS += $(data_tests)
TESTS += $(data_tests)
data_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_data_batch_test_SOURCES = tests/data/batch_test.c
tests_data_batch_test_LDADD = core/libpenstock.la
tests_data_encode_test_SOURCES = tests/data/encode_test.c
tests_data_encode_test_CPPFLAGS = $(data_cppflags)
tests_data_encode_test_LDADD = core/libpenstock.la
tests_data_json_kernels_test_SOURCES = tests/data/json_kernels_test.c tests/data/json_harness.h
tests_data_json_kernels_test_CPPFLAGS = $(data_cppflags)
tests_data_json_kernels_test_LDADD = core/libpenstock.la
tests_data_json_suite_test_SOURCES = tests/data/json_suite_test.c tests/data/json_harness.h
tests_data_json_suite_test_CPPFLAGS = $(data_cppflags)
tests_data_json_suite_test_LDADD = core/libpenstock.la
tests_data_json_test_SOURCES = tests/data/json_test.c tests/data/json_harness.h
tests_data_json_test_CPPFLAGS = $(data_cppflags)
tests_data_json_test_LDADD = core/libpenstock.la
tests_data_times_test_SOURCES = tests/data/times_test.c
tests_data_times_test_LDADD = core/libpenstock.la
tests_data_memory_test_SOURCES = tests/data/memory_test.c tests/data/json_harness.h
tests_data_memory_test_CPPFLAGS = $(data_cppflags)
tests_data_memory_test_LDADD = core/libpenstock.la
