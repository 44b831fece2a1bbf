# core/data: record batches, builders, JSON to columns and back. SPDX-License-Identifier: Apache-2.0
core_libpenstock_la_SOURCES += \
	core/data/array.c core/data/array.h core/data/builder.c core/data/builder.h core/data/check.c core/data/memory.c \
	core/data/schema.c core/data/schema.h core/data/take.c
