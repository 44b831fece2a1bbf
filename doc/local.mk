# Manual pages and guides.
EXTRA_DIST += doc/journal-format.md
