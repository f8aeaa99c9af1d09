"""The data of programs: values and tables to bytes and back.

`pinecone` is the encoding, with its types and their JSON. `csv_codec` reads and writes CSV for the
two ways to encode it: `tables` for a type that is a table, `csv_cells` as rows of cells, by a
schema.
"""
