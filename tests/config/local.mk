# tests/config.
