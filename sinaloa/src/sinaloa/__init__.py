"""The untrusted bridge: routes opaque bytes to an isolate."""
