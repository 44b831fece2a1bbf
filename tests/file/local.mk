# tests/file.
