core_libpenstock_la_SOURCES += core/ops/error.c core/ops/text.c core/ops/text.h
