"""The data of programs: values and tables to bytes and back.

`pinecone` is the encoding, with its types and their JSON. `tables` is CSV for a type that is a
table, and `csv_cells` CSV as rows of cells, by a schema.
"""
