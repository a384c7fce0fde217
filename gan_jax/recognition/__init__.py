"""Training classifiers, whose activations are the features of evaluations."""
