"""Random bytes for a request, which is refused when there are none."""

from colima.runtime import RefusalReason
from mexico_city.errors import DeniedError
from platform_services import PlatformError, RandomSource


def draw(random: RandomSource, size: int, purpose: str) -> bytes:
    """So many random bytes.

    Raises:
        DeniedError: there are none to be had.
    """
    try:
        return random.fill(size)
    except PlatformError as error:
        raise DeniedError(
            RefusalReason.BUSY, found=f"no random bytes for {purpose}", expected="try again"
        ) from error
