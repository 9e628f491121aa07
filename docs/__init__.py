"""The documentation's pictures and how they are taken."""
