# tests/fuzz: a libFuzzer program for each parser. They are built where configure was given CC=clang --enable-fuzzing --disable-shared:
#   make fuzz-targets                 builds them
#   make fuzz [FUZZ_SECONDS=600]      runs each for so long, from seeds made here and what earlier runs found (tests/fuzz/corpus)
# SPDX-License-Identifier: Apache-2.0
fuzz_programs = tests/fuzz/fuzz_ini tests/fuzz/fuzz_json tests/fuzz/fuzz_times
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_fuzz_fuzz_ini_SOURCES = tests/fuzz/fuzz_ini.c
tests_fuzz_fuzz_ini_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ini_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ini_LDADD = core/libpenstock.la
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c
tests_fuzz_fuzz_json_CPPFLAGS = $(fuzz_cppflags) $(CJSON_CFLAGS)
tests_fuzz_fuzz_json_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_json_LDADD = core/libpenstock.la $(CJSON_LIBS)
tests_fuzz_fuzz_times_SOURCES = tests/fuzz/fuzz_times.c
tests_fuzz_fuzz_times_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_times_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_times_LDADD = core/libpenstock.la
if PLUGIN_PIN
if PLUGIN_GEO
if PLUGIN_USER
fuzz_programs += tests/fuzz/fuzz_cleaners
tests_fuzz_fuzz_cleaners_SOURCES = tests/fuzz/fuzz_cleaners.c $(pinterest_test_sources)
tests_fuzz_fuzz_cleaners_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_cleaners_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_cleaners_LDADD = plugins/pinterest/libclean.la core/libpenstock.la
endif
endif
endif
if PLUGIN_DELTA
fuzz_programs += tests/fuzz/fuzz_delta_log
tests_fuzz_fuzz_delta_log_SOURCES = tests/fuzz/fuzz_delta_log.c
tests_fuzz_fuzz_delta_log_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/plugins/delta -I$(top_srcdir)/plugins/parquet
tests_fuzz_fuzz_delta_log_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_delta_log_LDADD = plugins/delta/libdelta.la core/libpenstock.la
endif
if PLUGIN_RDS
fuzz_programs += tests/fuzz/fuzz_rds
tests_fuzz_fuzz_rds_SOURCES = tests/fuzz/fuzz_rds.c
tests_fuzz_fuzz_rds_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/plugins/rds
tests_fuzz_fuzz_rds_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_rds_LDADD = plugins/rds/librds.la core/libpenstock.la
endif
if PLUGIN_JOURNAL
fuzz_programs += tests/fuzz/fuzz_journal
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c plugins/journal/format.c plugins/journal/state.c plugins/journal/crc32c.c
tests_fuzz_fuzz_journal_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_journal_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_journal_LDADD = core/libpenstock.la
endif
if PLUGIN_FILE
fuzz_programs += tests/fuzz/fuzz_csv
tests_fuzz_fuzz_csv_SOURCES = tests/fuzz/fuzz_csv.c plugins/file/csv.c plugins/file/csv.h plugins/file/replay.c plugins/file/replay.h
tests_fuzz_fuzz_csv_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_csv_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_csv_LDADD = core/libpenstock.la
endif
if PLUGIN_HTTP
fuzz_programs += tests/fuzz/fuzz_http
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(http_api_sources)
tests_fuzz_fuzz_http_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_http_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_http_LDADD = core/libpenstock.la
endif
if PLUGIN_PARQUET
fuzz_programs += tests/fuzz/fuzz_parquet
tests_fuzz_fuzz_parquet_SOURCES = tests/fuzz/fuzz_parquet.c
tests_fuzz_fuzz_parquet_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_parquet_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_parquet_LDADD = plugins/parquet/libparquet.la core/libpenstock.la
endif
if PLUGIN_KAFKA
fuzz_programs += tests/fuzz/fuzz_kafka
tests_fuzz_fuzz_kafka_SOURCES = tests/fuzz/fuzz_kafka.c plugins/kafka/position.c
tests_fuzz_fuzz_kafka_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/plugins/kafka
tests_fuzz_fuzz_kafka_LDFLAGS = $(fuzz_ldflags)
endif
if PLUGIN_KINESIS
fuzz_programs += tests/fuzz/fuzz_kinesis
tests_fuzz_fuzz_kinesis_SOURCES = tests/fuzz/fuzz_kinesis.c
tests_fuzz_fuzz_kinesis_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_kinesis_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_kinesis_LDADD = plugins/kinesis/libkinesis.la core/libpenstock.la
endif
if PLUGIN_S3
fuzz_programs += tests/fuzz/fuzz_aws
tests_fuzz_fuzz_aws_SOURCES = tests/fuzz/fuzz_aws.c
tests_fuzz_fuzz_aws_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/plugins
tests_fuzz_fuzz_aws_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_aws_LDADD = plugins/s3/libs3.la core/libpenstock.la
fuzz_programs += tests/fuzz/fuzz_archive
tests_fuzz_fuzz_archive_SOURCES = tests/fuzz/fuzz_archive.c
tests_fuzz_fuzz_archive_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/plugins -I$(top_srcdir)/plugins/parquet
tests_fuzz_fuzz_archive_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_archive_LDADD = plugins/s3/libs3.la core/libpenstock.la
endif
EXTRA_PROGRAMS += $(fuzz_programs)
EXTRA_DIST += tests/fuzz/run tests/fuzz/seeds.py
FUZZ_SECONDS = 600

.PHONY: fuzz fuzz-targets
if FUZZING
fuzz-targets: $(fuzz_programs)
fuzz: fuzz-targets
	top_srcdir='$(abs_top_srcdir)' FUZZ_SECONDS='$(FUZZ_SECONDS)' PYTHON3='$(PYTHON3)' $(SHELL) $(srcdir)/tests/fuzz/run $(fuzz_programs)
else
fuzz fuzz-targets:
	@echo 'The fuzz targets need a build of their own: configure CC=clang --enable-fuzzing --disable-shared' >&2; exit 1
endif
