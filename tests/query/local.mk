# tests/query.
