"""What may be sent, by its size, and by whom."""

from colima.runtime import ContentKind, RefusalReason, Upload
from mexico_city.errors import DeniedError
from veracruz_utils.policy import Policy, PolicyIdentity, Role


def require_role(identity: PolicyIdentity, roles: frozenset[Role]) -> None:
    """Refuse what takes another role.

    Raises:
        DeniedError: the principal has none of these.
    """
    if not roles & identity.roles:
        raise DeniedError(
            RefusalReason.WRONG_ROLE,
            found=f"{identity.label} is " + ", ".join(sorted(identity.roles)),
            expected=" or ".join(sorted(roles)),
        )


def require_room(policy: Policy, identity: PolicyIdentity, upload: Upload, others: int) -> None:
    """Refuse what is too large.

    Args:
        policy: what says how large it may be.
        identity: who announces it.
        upload: what is announced.
        others: bytes of inputs that are in or announced, in other places.

    Raises:
        DeniedError: it is larger than the policy or its place allows.
    """
    limits = policy.limits
    if upload.kind is ContentKind.PROGRAM:
        _require_at_most("program_bytes", limits.program_bytes, upload.size)
        return
    _require_at_most("input_bytes", limits.input_bytes, upload.size)
    _require_place_size(policy, identity, upload)
    of = " of inputs in all"
    _require_at_most("total_input_bytes", limits.total_input_bytes, others + upload.size, of)


def _require_place_size(policy: Policy, identity: PolicyIdentity, upload: Upload) -> None:
    """Refuse what is larger than the policy allows for the place that it is going to fill.

    A principal's packages fill its places in rising order. Which one a package is going to fill is
    only known of numbers below their count, so that no other will do where the sizes differ.

    Raises:
        DeniedError: it is larger, or its number does not tell its place.
    """
    data = upload.kind is ContentKind.DATA
    order = policy.data_provision_order if data else policy.streaming_order
    terms = policy.inputs if data else policy.streams
    own = [index for index, client in enumerate(order) if client == identity.client_id]
    sizes = {terms[index].most_bytes for index in own}
    if upload.package_id >= len(own) and len(sizes) > 1:
        raise DeniedError(
            RefusalReason.NOT_EXPECTED,
            found=f"package {upload.package_id} of {identity.label}",
            expected=f"0 to {len(own) - 1}: its places take different sizes",
        )
    if own:
        index = own[min(upload.package_id, len(own) - 1)]
        most = terms[index].most_bytes
        if most is not None:
            name = f"{'inputs' if data else 'streams'}[{index}].bytes"
            _require_at_most(name, most, upload.size)


def _require_at_most(limit: str, most: int, found: int, of: str = "") -> None:
    if found > most:
        raise DeniedError(
            RefusalReason.TOO_LARGE, found=f"{found} bytes{of}", expected=f"{limit} <= {most}"
        )
