"""How training is going, in words, and what may help."""
