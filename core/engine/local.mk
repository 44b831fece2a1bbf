# core/engine: lanes, commits, state, dead letters, plugins.
core_libpenstock_la_SOURCES += \
	core/engine/failpoint.c \
	core/engine/host.c core/engine/host.h \
	core/engine/rejects.c core/engine/rejects.h \
	core/engine/stores.c core/engine/stores.h core/engine/verb.c core/engine/verb.h
core_libpenstock_la_SOURCES += core/engine/claim.c core/engine/store.c core/engine/store.h core/engine/store_dir.c core/engine/store_dir_folders.c core/engine/store_dir_list.c
core_libpenstock_la_SOURCES += core/engine/bind.c core/engine/bind.h core/engine/plugin.c core/engine/plugin.h
core_libpenstock_la_SOURCES += \
	core/engine/build.c core/engine/chain.c core/engine/chain.h core/engine/commit.c core/engine/control.c core/engine/dead.c core/engine/dead.h \
	core/engine/flow.c core/engine/flow.h core/engine/graph.c core/engine/graph.h core/engine/lane.c core/engine/lane.h core/engine/lane_cut.c \
	core/engine/lane_open.c core/engine/open.c core/engine/parts.c core/engine/recover.c core/engine/starts.c \
	core/engine/run.c core/engine/run.h core/engine/segment.h core/engine/state.c core/engine/state.h core/engine/words.c core/engine/words.h
