"""Drawn blood cells, for rehearsals and tests."""
