# Manual pages and guides.
guides = doc/commits.md doc/guarantees.md doc/journal-format.md
dist_doc_DATA = $(guides)
dist_man_MANS += doc/penstock-query.1 doc/penstock-filter.1 doc/penstock-table.1
