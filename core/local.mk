# libpenstock and the penstock command.
lib_LTLIBRARIES += core/libpenstock.la
core_libpenstock_la_SOURCES =
core_libpenstock_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core $(INIH_CFLAGS) $(CJSON_CFLAGS) $(SQLITE_CFLAGS)
core_libpenstock_la_LIBADD = $(LTDL_LIBS) $(INIH_LIBS) $(CJSON_LIBS) $(SQLITE_LIBS)
core_libpenstock_la_LDFLAGS = $(AM_LDFLAGS) -version-info 1:0:0 -export-symbols-regex '^pen_'

bin_PROGRAMS += core/penstock
core_penstock_SOURCES =
core_penstock_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/core $(CJSON_CFLAGS) $(SQLITE_CFLAGS)
core_penstock_LDADD = core/libpenstock.la $(CJSON_LIBS) $(SQLITE_LIBS)

pkginclude_HEADERS = \
	core/include/penstock/arrow.h core/include/penstock/batch.h core/include/penstock/error.h core/include/penstock/option.h core/include/penstock/pace.h \
	core/include/penstock/plugin.h core/include/penstock/records.h core/include/penstock/store.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = core/penstock.pc

include core/ops/local.mk
include core/data/local.mk
include core/config/local.mk
include core/engine/local.mk
include core/cli/local.mk
