"""What the service keeps: database, audit log, state directory and result keys."""
