"""The trusted runtime: lifecycle, roles and the loop of the isolate."""
