"""The process's environment: devices, other processes, signals and threads."""
