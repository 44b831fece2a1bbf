# tests/parquet: the library of Parquet files, the plugin. SPDX-License-Identifier: Apache-2.0
if PLUGIN_PARQUET
PARQUET_TEST_LIBS = plugins/parquet/libparquet.la core/libpenstock.la
check_PROGRAMS += tests/parquet/parquet_sample tests/parquet/parquet_copy tests/parquet/test_decode tests/parquet/test_roundtrip
tests_parquet_parquet_copy_SOURCES = tests/parquet/parquet_copy.c tests/parquet/memfile.h
tests_parquet_parquet_copy_LDADD = $(PARQUET_TEST_LIBS)
tests_parquet_parquet_sample_SOURCES = tests/parquet/parquet_sample.c tests/parquet/sample.h
tests_parquet_parquet_sample_LDADD = $(PARQUET_TEST_LIBS)
tests_parquet_test_decode_SOURCES = tests/parquet/test_decode.c tests/tap.h
tests_parquet_test_decode_LDADD = $(PARQUET_TEST_LIBS)
tests_parquet_test_roundtrip_SOURCES = tests/parquet/test_roundtrip.c tests/parquet/sample.h tests/parquet/memfile.h tests/tap.h
tests_parquet_test_roundtrip_LDADD = $(PARQUET_TEST_LIBS)
TESTS += tests/parquet/test_decode tests/parquet/test_roundtrip tests/parquet/readers.py tests/parquet/pipeline.sh
EXTRA_DIST += tests/parquet/readers.py tests/parquet/pipeline.sh
EXTRA_PROGRAMS += tests/bench/parquet_columns
tests_bench_parquet_columns_SOURCES = tests/bench/parquet_columns.c tests/parquet/memfile.h
tests_bench_parquet_columns_LDADD = $(PARQUET_TEST_LIBS)
endif
