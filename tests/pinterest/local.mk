# tests/pinterest.
