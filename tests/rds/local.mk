# tests/rds: decoders on their own, and whole pipelines from a real MariaDB and PostgreSQL. SPDX-License-Identifier: Apache-2.0
if PLUGIN_RDS
check_PROGRAMS += tests/rds/decode_test
TESTS += tests/rds/decode_test
if PLUGIN_DELTA
TESTS += tests/rds/types_test.py tests/rds/modes_test.py tests/rds/faults_test.py tests/rds/real_test.py tests/rds/trust_test.py
endif
endif
EXTRA_DIST += tests/rds/rig.py tests/rds/fake.py tests/rds/types_test.py tests/rds/modes_test.py tests/rds/faults_test.py tests/rds/real_test.py tests/rds/trust_test.py
tests_rds_decode_test_SOURCES = tests/rds/decode_test.c tests/tap.h
tests_rds_decode_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/plugins/rds
tests_rds_decode_test_LDADD = plugins/rds/librds.la core/libpenstock.la
