# What the three cleaners share.
noinst_LTLIBRARIES += plugins/pinterest/libclean.la
plugins_pinterest_libclean_la_SOURCES = \
	plugins/pinterest/clean.h plugins/pinterest/columns.c plugins/pinterest/markers.c plugins/pinterest/numbers.c \
	plugins/pinterest/text.c plugins/pinterest/times.c
