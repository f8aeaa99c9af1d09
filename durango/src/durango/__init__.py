"""Client library and command line of a principal."""
