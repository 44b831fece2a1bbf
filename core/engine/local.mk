# core/engine: lanes, commits, state, dead letters, plugins.
core_libpenstock_la_SOURCES += \
	core/engine/failpoint.c \
	core/engine/host.c core/engine/host.h \
	core/engine/rejects.c core/engine/rejects.h
core_libpenstock_la_SOURCES += core/engine/store.c core/engine/store.h core/engine/store_dir.c core/engine/store_dir_list.c
core_libpenstock_la_SOURCES += core/engine/bind.c core/engine/bind.h core/engine/plugin.c core/engine/plugin.h
