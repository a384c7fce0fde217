"""From a trained generator to samples and pictures."""
