"""What data are worth to a classifier."""
