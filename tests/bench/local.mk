# tests/bench.

# How fast JSON becomes columns; by hand, with a file of posts.
EXTRA_PROGRAMS += tests/bench/json_columns
tests_bench_json_columns_SOURCES = tests/bench/json_columns.c
tests_bench_json_columns_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_bench_json_columns_LDADD = core/libpenstock.la

# What reading a database's table costs; by hand, with a server that holds one.
if PLUGIN_RDS
EXTRA_PROGRAMS += tests/bench/rds/rds_rate
endif
tests_bench_rds_rds_rate_SOURCES = tests/bench/rds/rds_rate.c
tests_bench_rds_rds_rate_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_bench_rds_rds_rate_LDADD = plugins/rds/librds.la core/libpenstock.la
EXTRA_DIST += tests/bench/rds/peer.py

# Figures, not checks: the main job beside its peers, commits, queries, the journal. make bench BENCH_ROWS=1000000 BENCH_PEERS=arrow-rs
EXTRA_DIST += tests/bench/run tests/bench/commits tests/bench/ends tests/bench/gateway tests/bench/kafka tests/bench/kafka_loop.py tests/bench/bench.py tests/bench/peers.py \
	tests/bench/arrow_rs/Cargo.toml tests/bench/arrow_rs/src/main.rs
.PHONY: bench
bench: all tests/bench/journal_rate$(EXEEXT)
	top_builddir='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench/run $(BENCH_PEERS)
	top_builddir='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench/commits
	top_builddir='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench/ends
	top_builddir='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench/kafka
