"""Signed XML: a bounded reader, its canonical form, and signatures over whole documents."""
