"""Root attestation isolate: measures, launches and vouches for runtimes.

Two processes: the service (`server`, `enrolment`, `isolates`), which holds the enrolled key, and
the zygote (`zygote`), which holds the loaded runtime and forks an isolate per computation.
The zygote imports this package too, so it stays empty: whatever stood here would be measured.
"""

__all__: list[str] = []
