"""The wire: protobuf schema, typed messages and length-prefixed frames."""
