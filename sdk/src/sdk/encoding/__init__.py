"""Data for programs that take tables of any shape: `csv_cells`, by a schema of the SDK's own.

The encoding of values and tables by their type is for everybody: `veracruz_utils.encoding`.
"""
