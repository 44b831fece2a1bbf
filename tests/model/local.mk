# tests/model.
