# Pipelines that run as they are.
# The eight analyses of the Pinterest project, for `penstock query --file`.
analysesdir = $(pkgdatadir)/pinterest
dist_analyses_DATA = \
	conf/pinterest/1-top-category-per-country.sql conf/pinterest/2-posts-per-category-and-year.sql \
	conf/pinterest/3-most-followed-per-country.sql conf/pinterest/4-top-category-per-age-group.sql \
	conf/pinterest/5-median-followers-per-age-group.sql conf/pinterest/6-users-joined-per-year.sql \
	conf/pinterest/7-median-followers-per-joining-year.sql conf/pinterest/8-median-followers-per-age-group-and-year.sql

EXTRA_DIST += conf/packaging/dependencies.sh conf/quickstart/quickstart.ini conf/quickstart/run
