# Manual pages and guides.
EXTRA_DIST += doc/journal-format.md
dist_man_MANS += doc/penstock-query.1 doc/penstock-filter.1 doc/penstock-table.1
