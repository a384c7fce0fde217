"""Features of images, and what is computed from them."""
