# tests/bench.

# How fast JSON becomes columns; by hand, with a file of posts.
EXTRA_PROGRAMS += tests/bench/json_columns
tests_bench_json_columns_SOURCES = tests/bench/json_columns.c
tests_bench_json_columns_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_bench_json_columns_LDADD = core/libpenstock.la

# Figures, not checks: how fast the main job is beside its peers.
EXTRA_DIST += tests/bench/run tests/bench/peers.py tests/bench/arrow_rs/Cargo.toml tests/bench/arrow_rs/src/main.rs
.PHONY: bench
bench: all
	top_builddir='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench/run $(BENCH_PEERS)
