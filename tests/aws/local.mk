# tests/aws: the library of the plugins that speak to AWS. SPDX-License-Identifier: Apache-2.0
if HAVE_AWS
aws_tests = tests/aws/sign_test
check_PROGRAMS += $(aws_tests)
TESTS += $(aws_tests)
aws_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/plugins $(CJSON_CFLAGS)
tests_aws_sign_test_SOURCES = tests/aws/sign_test.c
tests_aws_sign_test_CPPFLAGS = $(aws_test_cppflags)
tests_aws_sign_test_LDADD = plugins/aws/libaws.la core/libpenstock.la $(CJSON_LIBS)
check_PROGRAMS += tests/aws/keys_check
TESTS += tests/aws/credentials_test.py
EXTRA_DIST += tests/aws/credentials_test.py
tests_aws_keys_check_SOURCES = tests/aws/keys_check.c
tests_aws_keys_check_CPPFLAGS = $(aws_test_cppflags) -I$(top_srcdir)/core
tests_aws_keys_check_LDADD = plugins/aws/libaws.la core/libpenstock.la
endif
