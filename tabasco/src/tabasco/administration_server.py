"""The administration on gRPC: what HTTP offers to administrators, for the same tokens.

UnauthenticatedError        UNAUTHENTICATED       a fixed sentence
ForbiddenError              PERMISSION_DENIED     a fixed sentence
WireError                   INVALID_ARGUMENT      what is wrong with the message
DatabaseError, a bug        INTERNAL              a fixed sentence; the log has more
TabascoError                FAILED_PRECONDITION   its text: nobody but administrators gets here

The service speaks plain text, and tokens do not: these methods are served on this machine alone.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from colima import WireError, decode, encode
from colima import tabasco_administration as wire
from psa_attestation import AttestationError
from tabasco import keys
from tabasco.access import ForbiddenError, UnauthenticatedError, authenticated, may_change
from tabasco.administrators import Administrators
from tabasco.audit import AuditLog
from tabasco.bundles import ReferenceValue
from tabasco.database import Database
from tabasco.errors import DatabaseError, TabascoError
from tabasco.inspection import as_json
from tabasco.instances import Instances
from tabasco.platform_keys import PlatformKeys, key_of
from tabasco.policies import Policies
from tabasco.reference_values import ReferenceValues
from tabasco.revocations import Revocations, Subject
from tabasco.roots import Roots
from tabasco.server import native_of
from tabasco.service import AttestationService
from tabasco.verify.kinds import Kind
from veracruz_shells.service import CallError, MetadataMethod, Status
from veracruz_utils.errors import RefusedError

_Act = Callable[[Any, datetime, str], object]
"""Does what a request asks at a time, in the name of somebody, and answers."""

_INSTANCE: Final = "instance"
_MOST: Final = 1000
_FEW: Final = 100
_BEARER: Final = "bearer "


class AdministrationServer:
    """The administration of one tenant.

    Args:
        service: signs heads and explains.
        database: behind it.
        administrators: who may.
        now: the current time, aware.
    """

    def __init__(
        self,
        *,
        service: AttestationService,
        database: Database,
        administrators: Administrators,
        now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._database = database
        self._administrators = administrators
        self._now = now
        self._roots = Roots(database)
        self._instances = Instances(database)
        self._revocations = Revocations(database)
        self._references = ReferenceValues(database)
        self._platform_keys = PlatformKeys(database)
        self._policies = Policies(database)

    def methods(self) -> dict[str, MetadataMethod]:
        """The gRPC methods, by their full names."""
        reads: dict[type, Callable[[Any], object]] = {
            wire.ListTrustAnchorsRequest: self._list_trust_anchors,
            wire.ListInstancesRequest: self._list_instances,
            wire.ListRevocationsRequest: self._list_revocations,
            wire.ListReferenceValuesRequest: self._list_reference_values,
            wire.GetReferenceValueRequest: self._get_reference_value,
            wire.ListProvidersRequest: self._list_providers,
            wire.ListPlatformKeysRequest: self._list_platform_keys,
            wire.ListPoliciesRequest: self._list_policies,
            wire.ExplainRequest: self._explain,
            wire.GetAuditHeadRequest: self._get_audit_head,
            wire.ListAuditEntriesRequest: self._list_audit_entries,
        }
        changes: dict[type, _Act] = {
            wire.AddTrustAnchorRequest: self._add_trust_anchor,
            wire.RemoveTrustAnchorRequest: self._remove_trust_anchor,
            wire.RevokeRequest: self._revoke,
            wire.AddReferenceValueRequest: self._add_reference_value,
            wire.RemoveReferenceValueRequest: self._remove_reference_value,
            wire.ImportBundleRequest: self._import_bundle,
            wire.AddPlatformKeyRequest: self._add_platform_key,
            wire.RemovePlatformKeyRequest: self._remove_platform_key,
            wire.SetPolicyRequest: self._set_policy,
        }
        methods = {
            _name(cls): self._method(cls, _reading(read), changes=False)
            for cls, read in reads.items()
        }
        return methods | {
            _name(cls): self._method(cls, change, changes=True) for cls, change in changes.items()
        }

    def _method(self, cls: type, act: _Act, *, changes: bool) -> MetadataMethod:
        def method(data: bytes, metadata: Mapping[str, str]) -> bytes:
            try:
                administrator = authenticated(_token(metadata), self._administrators)
                now = self._now()
                if changes:
                    may_change(administrator, self._database, at=now, over="gRPC")
                request: object = decode(cls, data)
                return encode(act(request, now, administrator.actor))
            except UnauthenticatedError:
                message = "this needs the token of an administrator, as authorization: Bearer"
                raise CallError(Status.UNAUTHENTICATED, message) from None
            except ForbiddenError as error:
                raise RefusedError(f"forbidden: {error}") from None
            except (WireError, AttestationError) as error:
                raise CallError(Status.INVALID_ARGUMENT, str(error)) from error
            except DatabaseError as error:
                raise RuntimeError("the database failed") from error
            except TabascoError as error:
                raise CallError(Status.FAILED_PRECONDITION, str(error)) from error

        return method

    # What anybody with a token may ask.

    def _list_trust_anchors(self, _: wire.ListTrustAnchorsRequest) -> object:
        roots = self._roots.all()
        return wire.ListTrustAnchorsResponse(
            tuple(wire.TrustAnchor(root.name, root.public_key) for root in roots)
        )

    def _list_instances(self, _: wire.ListInstancesRequest) -> object:
        now = self._now()
        return wire.ListInstancesResponse(
            tuple(
                wire.Instance(
                    instance_id=each.instance_id,
                    state=each.state(now),
                    platform=each.platform,
                    root=each.root or "",
                    measurement=each.measurement,
                    version=each.version,
                    enrolled_at=_told(each.enrolled_at),
                    expires_at=_told(each.expires_at),
                )
                for each in self._instances.all()
            )
        )

    def _list_revocations(self, _: wire.ListRevocationsRequest) -> object:
        return wire.ListRevocationsResponse(
            tuple(
                wire.Revocation(each.subject.value, each.value, each.reason, _told(each.revoked_at))
                for each in self._revocations.all()
            )
        )

    def _list_reference_values(self, _: wire.ListReferenceValuesRequest) -> object:
        return wire.ListReferenceValuesResponse(
            tuple(_reference_value(each) for each in self._references.all())
        )

    def _get_reference_value(self, request: wire.GetReferenceValueRequest) -> object:
        return _reference_value(self._references.get(request.number))

    def _list_providers(self, _: wire.ListProvidersRequest) -> object:
        return wire.ListProvidersResponse(
            tuple(
                wire.Provider(each.name, each.bundle_version)
                for each in self._references.providers()
            )
        )

    def _list_platform_keys(self, _: wire.ListPlatformKeysRequest) -> object:
        return wire.ListPlatformKeysResponse(
            tuple(
                wire.PlatformKey(
                    each.number, each.kind.value, each.instance, each.public_key, each.provider
                )
                for each in self._platform_keys.all()
            )
        )

    def _list_policies(self, _: wire.ListPoliciesRequest) -> object:
        return wire.ListPoliciesResponse(
            tuple(
                wire.AppraisalPolicy(each.version, each.digest, _told(each.set_at), each.document)
                for each in self._policies.all()
            )
        )

    def _explain(self, request: wire.ExplainRequest) -> object:
        found = self._service.explain(
            native_of(request.kind, request.evidence, request.auxiliary),
            document=request.document,
            at=_time(request.at, "at"),
        )
        return wire.ExplainResponse(json.dumps(as_json(found)).encode())

    def _get_audit_head(self, _: wire.GetAuditHeadRequest) -> object:
        head, signed = self._service.signed_head()
        return wire.GetAuditHeadResponse(head.number, head.hash, signed)

    def _list_audit_entries(self, request: wire.ListAuditEntriesRequest) -> object:
        most = min(request.most or _FEW, _MOST)
        return wire.ListAuditEntriesResponse(
            tuple(
                wire.AuditEntry(
                    number=each.number,
                    at=_told(each.at),
                    actor=each.actor,
                    action=each.action,
                    subject=each.subject,
                    outcome=each.outcome,
                    hash=each.hash,
                )
                for each in AuditLog(self._database).entries(after=request.after, most=most)
            )
        )

    # What changes something.

    def _add_trust_anchor(
        self, request: wire.AddTrustAnchorRequest, at: datetime, actor: str
    ) -> object:
        key = keys.from_der(request.public_key)
        if key is None:
            raise WireError("public key is no P-256 key in DER SubjectPublicKeyInfo")
        self._roots.add(request.name, key, at=at, actor=actor)
        return wire.AddTrustAnchorResponse()

    def _remove_trust_anchor(
        self, request: wire.RemoveTrustAnchorRequest, at: datetime, actor: str
    ) -> object:
        return wire.RemoveTrustAnchorResponse(self._roots.remove(request.name, at=at, actor=actor))

    def _revoke(self, request: wire.RevokeRequest, at: datetime, actor: str) -> object:
        if request.subject == _INSTANCE:
            self._instances.revoke(request.value, at=at, actor=actor)
        elif request.subject in {each.value for each in Subject}:
            subject = Subject(request.subject)
            self._revocations.add(subject, request.value, request.reason, at=at, actor=actor)
        else:
            known = ", ".join((_INSTANCE, *(each.value for each in Subject)))
            raise WireError(f"subject is {request.subject[:40]!r}, not one of {known}")
        return wire.RevokeResponse()

    def _add_reference_value(
        self, request: wire.AddReferenceValueRequest, at: datetime, actor: str
    ) -> object:
        value = ReferenceValue(
            _kind(request.kind),
            request.measurement,
            request.value,
            request.label,
            not_before=_time(request.not_before, "not before"),
            not_after=_time(request.not_after, "not after"),
        )
        return wire.AddReferenceValueResponse(
            self._references.add(value, at=at, actor=actor).number
        )

    def _remove_reference_value(
        self, request: wire.RemoveReferenceValueRequest, at: datetime, actor: str
    ) -> object:
        self._references.remove(request.number, at=at, actor=actor)
        return wire.RemoveReferenceValueResponse()

    def _import_bundle(self, request: wire.ImportBundleRequest, at: datetime, actor: str) -> object:
        provider, count = self._references.take_in(request.bundle, at=at, actor=actor)
        return wire.ImportBundleResponse(provider.name, provider.bundle_version, count)

    def _add_platform_key(
        self, request: wire.AddPlatformKeyRequest, at: datetime, actor: str
    ) -> object:
        added = self._platform_keys.add(
            _kind(request.kind), request.instance, key_of(request.public_key), at=at, actor=actor
        )
        return wire.AddPlatformKeyResponse(added.number)

    def _remove_platform_key(
        self, request: wire.RemovePlatformKeyRequest, at: datetime, actor: str
    ) -> object:
        self._platform_keys.remove(request.number, at=at, actor=actor)
        return wire.RemovePlatformKeyResponse()

    def _set_policy(self, request: wire.SetPolicyRequest, at: datetime, actor: str) -> object:
        stored = self._policies.put_in_force(request.document, at=at, actor=actor)
        return wire.SetPolicyResponse(stored.version, stored.digest)


def _reading(read: Callable[[Any], object]) -> _Act:
    return lambda request, _at, _actor: read(request)


def _name(cls: type) -> str:
    return f"/{wire.SERVICE}/{cls.__name__.removesuffix('Request')}"


def _kind(name: str) -> Kind:
    if name not in {each.value for each in Kind}:
        raise WireError(f"{name[:40]!r} is no kind of evidence")
    return Kind(name)


def _token(metadata: Mapping[str, str]) -> str:
    given = metadata.get("authorization", "")
    if given[: len(_BEARER)].lower() != _BEARER:
        raise UnauthenticatedError
    return given[len(_BEARER) :]


def _reference_value(value: ReferenceValue) -> wire.ReferenceValue:
    return wire.ReferenceValue(
        number=value.number,
        kind=value.kind.value,
        measurement=value.measurement,
        value=value.value,
        label=value.label,
        provider=value.provider,
        not_before="" if value.not_before is None else _told(value.not_before),
        not_after="" if value.not_after is None else _told(value.not_after),
    )


def _told(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _time(text: str, name: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise WireError(f"{name} is {text[:40]!r}, no time of RFC 3339") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
