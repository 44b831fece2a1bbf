# tests/bench.
