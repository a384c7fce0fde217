"""Devices, processes, signals and threads."""
