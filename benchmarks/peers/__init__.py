"""The reference recipe in other libraries, each as an expert user would write it."""
