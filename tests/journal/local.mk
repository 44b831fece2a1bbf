# tests/journal.
