"""Data sets as frozen descriptions whose batches are pure functions of (seed, step)."""
