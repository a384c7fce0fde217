"""Tries to break runs: kills, damage, signals, full disks, nonsense as input, and long training.

    python -m benchmarks.torture [EXPERIMENT.py] [--only kills damage ...]

Each kind of test is one file. The experiment should train in seconds, as it is trained hundreds of
times; without one it is `points_experiment.py`, beside this file.
"""
