# core/data: record batches, builders, JSON to columns and back. SPDX-License-Identifier: Apache-2.0
core_libpenstock_la_SOURCES += \
	core/data/array.c core/data/array.h core/data/buffer.c core/data/builder.c core/data/builder.h core/data/check.c \
	core/data/conform.c core/data/conform.h core/data/encode.c core/data/encode.h core/data/intake.c core/data/intake.h core/data/json.c \
	core/data/json.h core/data/json_avx2.c core/data/json_avx512.c core/data/json_decode.h core/data/json_portable.c core/data/json_scan.h \
	core/data/memory.c core/data/number.c core/data/number.h core/data/schema.c core/data/schema.h core/data/take.c core/data/text.c \
	core/data/text.h core/data/times.c
# SQL over batches.
core_libpenstock_la_SOURCES += core/data/calendar.c core/data/calendar.h core/data/cell.c core/data/cell.h core/data/pattern.c core/data/pattern.h \
	core/data/sql.c core/data/sql.h core/data/sql_aggregates.c core/data/sql_dates.c core/data/sql_functions.c core/data/sql_index.c \
	core/data/sql_priv.h core/data/sql_table.c
