# tests/build: what is written about the command, and how it is built. SPDX-License-Identifier: Apache-2.0
build_tests = tests/build/manual.py tests/build/headers.sh tests/build/exports.sh tests/build/core_names.py tests/build/external.sh
TESTS += $(build_tests)
EXTRA_DIST += $(build_tests) tests/build/external/sieve.c
if !SANITIZED
TESTS += tests/build/plugin_example.sh
endif
EXTRA_DIST += tests/build/plugin_example.sh

# What was installed, and only that: part of make distcheck.
installcheck-local:
	$(AM_TESTS_ENVIRONMENT) INSTALLED=yes DESTDIR='$(DESTDIR)' bindir='$(bindir)' pkgconfigdir='$(pkgconfigdir)' \
		$(SHELL) $(srcdir)/tests/build/external.sh
