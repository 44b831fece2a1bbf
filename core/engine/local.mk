# core/engine: its sources, for libpenstock.
core_libpenstock_la_SOURCES += core/engine/plugin.h core/engine/bind.h
