"""How training goes, in words, and what may help."""
