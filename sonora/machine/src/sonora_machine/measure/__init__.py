"""What platforms will report of a machine image, computed from its file."""
