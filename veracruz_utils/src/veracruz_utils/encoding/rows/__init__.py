"""Rows of own data to the encoding of a Vec or set, as a stream: no value of the whole is made.

`reading` says how a file is read and `faults` what is wrong in it, all in one report. `cells` makes
bytes of columns of CSV, `csv_rows`, `json_lines` and `arrow` make rows of files, and `spool` puts
them together. `files` is what command lines call.
"""
