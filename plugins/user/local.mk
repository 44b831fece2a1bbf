# The user plugin.
if PLUGIN_USER
plugin_LTLIBRARIES += plugins/user/user.la
plugins_user_user_la_SOURCES = plugins/user/user.c
plugins_user_user_la_LDFLAGS = $(PLUGIN_LINK)
plugins_user_user_la_LIBADD = plugins/pinterest/libclean.la core/libpenstock.la
endif
