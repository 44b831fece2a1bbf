# tests/bench.

# How fast JSON becomes columns; by hand, with a file of posts.
EXTRA_PROGRAMS += tests/bench/json_columns
tests_bench_json_columns_SOURCES = tests/bench/json_columns.c
tests_bench_json_columns_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_bench_json_columns_LDADD = core/libpenstock.la
