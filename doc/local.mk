# Manual pages and guides.
guides = doc/archive.md doc/commits.md doc/delta.md doc/guarantees.md doc/http.md doc/journal-format.md doc/kinesis.md doc/moving.md doc/parquet.md doc/performance.md doc/pinterest.md doc/plugins.md doc/query.md doc/rds.md
dist_doc_DATA = $(guides)
dist_man_MANS += \
	doc/penstock.1 doc/penstock-check.1 doc/penstock-describe.1 doc/penstock-filter.1 doc/penstock-graph.1 doc/penstock-plugins.1 \
	doc/penstock-query.1 doc/penstock-run.1 doc/penstock-store.1 doc/penstock-table.1 doc/penstock-transport.1 \
	doc/penstock.ini.5 doc/penstock-chain.5 doc/penstock-deadletter.5 doc/penstock-journal.5

# Pages about plugins and about the core's options come from the tables that parse the options: the command that was just built writes them.
plugin_pages =
if PLUGIN_PAGES
plugin_pages += doc/penstock-pipeline.5
if PLUGIN_FILE
plugin_pages += doc/penstock-file.7
endif
if PLUGIN_GENERATE
plugin_pages += doc/penstock-generate.7
endif
if PLUGIN_HTTP
plugin_pages += doc/penstock-http.7
endif
if PLUGIN_RDS
plugin_pages += doc/penstock-rds.7
endif
if PLUGIN_JOURNAL
plugin_pages += doc/penstock-journal.7
endif
if PLUGIN_KINESIS
plugin_pages += doc/penstock-kinesis.7
endif
if PLUGIN_KAFKA
plugin_pages += doc/penstock-kafka.7
endif
if PLUGIN_S3
plugin_pages += doc/penstock-s3.7
endif
if PLUGIN_PIN
plugin_pages += doc/penstock-pin.7
endif
if PLUGIN_GEO
plugin_pages += doc/penstock-geo.7
endif
if PLUGIN_USER
plugin_pages += doc/penstock-user.7
endif
if PLUGIN_PARQUET
plugin_pages += doc/penstock-parquet.7
endif
if PLUGIN_DELTA
plugin_pages += doc/penstock-delta.7
endif
endif
man_MANS += $(plugin_pages)
CLEANFILES += $(plugin_pages)
$(plugin_pages): core/penstock$(EXEEXT) $(plugin_LTLIBRARIES)
	$(AM_V_GEN)$(MKDIR_P) doc && name=`echo $@ | sed 's|.*/penstock-||; s|[.][57]$$||'` && \
	PENSTOCK_PLUGIN_PATH='$(abs_builddir)/plugins' core/penstock$(EXEEXT) describe "$$name" --man >$@.new && mv $@.new $@
