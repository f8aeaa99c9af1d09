"""Compute together without trusting each other: every Veracruz component, and a demo."""
