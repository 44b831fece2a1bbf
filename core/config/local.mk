# core/config: its sources, for libpenstock.
core_libpenstock_la_SOURCES += \
	core/config/arena.h core/config/config.h core/config/diag.h core/config/option.h
