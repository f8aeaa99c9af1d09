"""Guest libraries, example programs and the freestanding execution engine."""
