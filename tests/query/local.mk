# tests/query: SQL over batches, the query, table and filter commands, the eight analyses. SPDX-License-Identifier: Apache-2.0
query_tests = tests/query/functions_test tests/query/table_test tests/query/print_test tests/query/analyses_time
check_PROGRAMS += $(query_tests)
TESTS += $(query_tests)
query_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/core $(SQLITE_CFLAGS)
query_ldadd = core/libpenstock.la $(SQLITE_LIBS)
tests_query_functions_test_SOURCES = tests/query/functions_test.c tests/query/sql_harness.h
tests_query_functions_test_CPPFLAGS = $(query_cppflags)
tests_query_functions_test_LDADD = $(query_ldadd)
tests_query_table_test_SOURCES = tests/query/table_test.c tests/query/memory_table.h tests/query/sql_harness.h
tests_query_table_test_CPPFLAGS = $(query_cppflags)
tests_query_table_test_LDADD = $(query_ldadd)
tests_query_analyses_time_SOURCES = tests/query/analyses_time.c tests/query/memory_table.h tests/query/sql_harness.h
tests_query_analyses_time_CPPFLAGS = $(query_cppflags)
tests_query_analyses_time_LDADD = $(query_ldadd)
tests_query_print_test_SOURCES = tests/query/print_test.c core/cli/print.c core/cli/print.h core/cli/print_width.c
tests_query_print_test_CPPFLAGS = $(query_cppflags)
tests_query_print_test_LDADD = $(query_ldadd)
