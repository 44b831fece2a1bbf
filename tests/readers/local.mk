# tests/readers.
