# tests/faults: whole pipelines that are killed, starved, lied to and fed with rubbish.
EXTRA_DIST += tests/faults/faults.py
check_LTLIBRARIES += tests/faults/fail.la tests/faults/power.la
tests_faults_fail_la_SOURCES = tests/faults/fail.c tests/faults/preload.h
tests_faults_fail_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS)
tests_faults_fail_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_faults_fail_la_LIBADD = -ldl
tests_faults_power_la_SOURCES = tests/faults/power.c tests/faults/preload.h
tests_faults_power_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS)
tests_faults_power_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_faults_power_la_LIBADD = -ldl -lpthread
faults_tests = tests/faults/kills.py tests/faults/torture.py tests/faults/failpoints.py tests/faults/input.py tests/faults/writers.py tests/faults/machine.py tests/faults/cases.py \
	tests/faults/ends.py tests/faults/power.py
EXTRA_DIST += $(faults_tests)
TESTS += $(faults_tests)
