"""Where spans go and how many: by a setting of ours, or by the standard names of OpenTelemetry."""

import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_DISABLED: Final = "OTEL_SDK_DISABLED"
_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_SAMPLER_ARG: Final = "OTEL_TRACES_SAMPLER_ARG"
_PORT: Final = 4317
_PLAIN: Final = {"http": True, "https": False}
_RATIOS: Final = {"": 1.0, "always_on": 1.0, "always_off": 0.0, "traceidratio": None}
"""By the name of a sampler; None where its argument says it."""


@frozen
class TraceSettings:
    """Where spans go, and how many of them.

    Attributes:
        collector: takes them, by OTLP over gRPC.
        is_plain: whether without TLS.
        ratio: the part of what begins here, or comes from elsewhere, that is kept.
    """

    collector: Address
    is_plain: bool
    ratio: float

    @property
    def url(self) -> str:
        """Where they go."""
        return f"{'http' if self.is_plain else 'https'}://{self.collector}"


def are_traces_wanted(environment: Mapping[str, str], url: str | None = None) -> bool:
    """Whether a collector is named, here or by the environment, which can switch traces off."""
    off = environment.get(_DISABLED, "").strip().lower() == "true"
    none = environment.get(_EXPORTER, "").strip() == "none"
    return not off and not none and bool(url or _first(environment, ENDPOINTS))


def trace_settings(url: str | None, environment: Mapping[str, str]) -> TraceSettings:
    """The settings.

    Args:
        url: where spans go, if not where the environment says.
        environment: has what OpenTelemetry calls for.

    Raises:
        VeracruzError: something there is not understood, or not done.
    """
    protocol = _first(environment, _PROTOCOLS)
    if protocol not in {"", "grpc"}:
        raise VeracruzError(
            f"{_PROTOCOLS[1]} is {protocol!r}, traces are sent by 'grpc': name a collector's port "
            f"for gRPC, and set {_PROTOCOLS[0]}=grpc"
        )
    address, is_plain = _collector(url or _first(environment, ENDPOINTS))
    return TraceSettings(address, is_plain, _ratio(environment))


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := environment.get(name, "").strip())), "")


def _collector(url: str) -> tuple[Address, bool]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    # Not quoted: whoever wrote a password into it shall not find it in a log.
    if "@" in parts.netloc:
        raise VeracruzError(
            "the URL for traces has a name or password in it, which others would see: give a "
            "client's certificate by OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
        )
    rest = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in _PLAIN or not parts.hostname or rest:
        raise VeracruzError(
            f"{url[:200]!r} is no URL for traces: give http://HOST:PORT or https://HOST:PORT, the "
            "collector's for OTLP over gRPC"
        )
    return Address(parts.hostname, port), _PLAIN[parts.scheme]


def _ratio(environment: Mapping[str, str]) -> float:
    named = environment.get(_SAMPLER, "").strip()
    sampler = named.removeprefix("parentbased_")
    if sampler not in _RATIOS:
        raise VeracruzError(
            f"{_SAMPLER} is {named[:40]!r}, expected always_on, always_off or traceidratio, each "
            "also with parentbased_ before it"
        )
    ratio = _RATIOS[sampler]
    if ratio is not None:
        return ratio
    text = environment.get(_SAMPLER_ARG, "").strip() or "1"
    try:
        ratio = float(text)
    except ValueError:
        ratio = math.nan
    if not 0 <= ratio <= 1:
        raise VeracruzError(f"{_SAMPLER_ARG} is {text[:40]!r}, expected a number from 0 to 1")
    return ratio
