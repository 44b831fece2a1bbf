# tests/build: what is written about the command, and how it is built. SPDX-License-Identifier: Apache-2.0
build_tests = tests/build/manual.py tests/build/headers.sh tests/build/exports.sh tests/build/core_names.py tests/build/external.sh
unsanitized_build_tests = tests/build/plugin_example.sh tests/build/configure.sh
TESTS += $(build_tests)
if !SANITIZED
TESTS += $(unsanitized_build_tests)
endif
EXTRA_DIST += $(build_tests) $(unsanitized_build_tests) tests/build/external/sieve.c

# What was installed, and only that: part of make distcheck.
installcheck-local:
	$(AM_TESTS_ENVIRONMENT) INSTALLED=yes DESTDIR='$(DESTDIR)' bindir='$(bindir)' pkgconfigdir='$(pkgconfigdir)' \
		$(SHELL) $(srcdir)/tests/build/external.sh
