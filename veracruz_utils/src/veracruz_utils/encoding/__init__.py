"""The encoding of inputs and results: its types, and values and tables to bytes and back.

From the ground up: `kinds` (what a type is), `grammar` (a type's text to a type), `wire` (bytes one
by one), `walk` (whether bytes are of a type, without making values of them): an isolate loads these
and no more. Then `pinecone` (values to bytes and back, and their JSON), `csv_codec` (cells), `rows`
(files of rows as a stream), `sql_tables`, and `files` and `tables` on top: for the tools of those
who write inputs and read results.
"""
