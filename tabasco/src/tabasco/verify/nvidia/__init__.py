"""NVIDIA's GPUs and switches, the reference values for them, and the service that attests them."""
