# tests/fuzz.
