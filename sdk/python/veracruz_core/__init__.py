"""What makes an interpreter fit for an isolate, and gives it its program."""
