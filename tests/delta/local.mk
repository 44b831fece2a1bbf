# tests/delta.
