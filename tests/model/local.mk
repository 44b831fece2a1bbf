# tests/model: the engine's real code between stubs, from seeds.
check_PROGRAMS += tests/model/model
tests_model_model_SOURCES = tests/model/model.c tests/model/cases.c tests/model/cases.h tests/model/model.h tests/model/process.c tests/model/process.h tests/model/run_model.c \
	tests/model/stub_sink.c tests/model/stub_source.c tests/model/world.c tests/model/world.h
tests_model_model_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core
tests_model_model_LDADD = core/libpenstock.la
TESTS += tests/model/model
