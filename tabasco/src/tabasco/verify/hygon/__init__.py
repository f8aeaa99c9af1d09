"""Hygon CSV."""
