"""Many configurations of an experiment, each trained with several seeds."""
