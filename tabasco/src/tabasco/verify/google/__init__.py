"""Google Confidential Space."""
