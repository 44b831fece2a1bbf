# tests/faults.
