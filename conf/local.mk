# Pipelines that run as they are, the eight analyses of the Pinterest project (for `penstock query --file`), and the service.
analysesdir = $(pkgdatadir)/pinterest
dist_analyses_DATA = \
	conf/pinterest/1-top-category-per-country.sql conf/pinterest/2-posts-per-category-and-year.sql \
	conf/pinterest/3-most-followed-per-country.sql conf/pinterest/4-top-category-per-age-group.sql \
	conf/pinterest/5-median-followers-per-age-group.sql conf/pinterest/6-users-joined-per-year.sql \
	conf/pinterest/7-median-followers-per-joining-year.sql conf/pinterest/8-median-followers-per-age-group-and-year.sql \
	conf/pinterest/files.ini
emulationdir = $(pkgdatadir)
dist_emulation_DATA = conf/emulation.ini
streamingdir = $(pkgdatadir)/streaming
dist_streaming_DATA = conf/streaming/streaming.ini conf/streaming/posts.ini conf/streaming/gateway.ini conf/streaming/kinesis.ini

rdsdir = $(pkgdatadir)/rds
dist_rds_DATA = conf/rds/snapshot.ini conf/rds/incremental.ini

batchdir = $(pkgdatadir)/batch
dist_batch_DATA = conf/batch/batch.ini conf/batch/posts.ini conf/batch/gateway.ini
airflowdir = $(pkgdatadir)/airflow
dist_airflow_DATA = conf/airflow/penstock_batch.py

systemddir = $(prefix)/lib/systemd/system
nodist_systemd_DATA = conf/systemd/penstock@.service
sysusersdir = $(prefix)/lib/sysusers.d
nodist_sysusers_DATA = conf/systemd/penstock.conf
CLEANFILES += $(nodist_systemd_DATA) $(nodist_sysusers_DATA)
conf/systemd/penstock@.service: conf/systemd/penstock@.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf/systemd && \
	$(SED) -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' $(top_srcdir)/conf/systemd/penstock@.service.in >$@.new && mv $@.new $@
conf/systemd/penstock.conf: conf/systemd/penstock.sysusers
	$(AM_V_GEN)$(MKDIR_P) conf/systemd && cp $(top_srcdir)/conf/systemd/penstock.sysusers $@

EXTRA_DIST += conf/packaging/dependencies.sh conf/quickstart/quickstart.ini conf/quickstart/run conf/streaming/run conf/batch/run conf/emulate.py conf/systemd/penstock@.service.in \
	conf/systemd/penstock.sysusers
