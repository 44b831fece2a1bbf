# tests/engine.
