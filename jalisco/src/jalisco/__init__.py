"""Client-side TLS endpoint and its gRPC transport."""
