"""Whether proven facts are acceptable: policies, checks and reports."""
