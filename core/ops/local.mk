core_libpenstock_la_SOURCES += core/ops/error.c core/ops/text.c core/ops/text.h core/ops/log.c core/ops/log.h core/ops/metrics.c core/ops/metrics.h core/ops/pace.c
