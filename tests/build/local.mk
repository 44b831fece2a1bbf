# tests/build.
