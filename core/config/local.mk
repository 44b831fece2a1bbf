# core/config: its sources, for libpenstock.
core_libpenstock_la_SOURCES += \
	core/config/apply.c core/config/arena.c core/config/arena.h core/config/config.c core/config/config.h core/config/diag.c \
	core/config/diag.h core/config/files.c core/config/help.c core/config/ini.c core/config/ini.h core/config/interpolate.c \
	core/config/option.c core/config/option.h core/config/settings.c core/config/stages.c core/config/stages.h core/config/suggest.c \
	core/config/units.c core/config/units.h
