# tests/data.
