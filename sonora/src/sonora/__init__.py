"""Root attestation isolate: measures, launches and vouches for runtimes."""
