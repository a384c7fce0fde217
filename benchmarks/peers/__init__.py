"""The reference recipe in other libraries, each as its users would write it at its best."""
