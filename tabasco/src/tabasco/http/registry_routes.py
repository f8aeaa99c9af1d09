"""The routes for administrators: what is trusted, what is revoked, and the audit log."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response

from psa_attestation.evidence.native import NativeEvidence
from tabasco.appraisal.inspection import as_json
from tabasco.errors import TabascoError
from tabasco.http import forms
from tabasco.http.access import Admin, Reader
from tabasco.http.context import Given
from tabasco.registry.audit import AuditLog
from tabasco.registry.bundles import ReferenceValue
from tabasco.registry.instances import Instances
from tabasco.registry.platform_keys import PlatformKeys, RegisteredKey, key_of
from tabasco.registry.policies import Policies, StoredPolicy
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import RootKind, Roots
from veracruz_utils.public_keys import KeyFormatError, p256_key_of_der

router: Final = APIRouter(tags=["administration"], responses=forms.FAILURES)
_Count = Annotated[int, Query(ge=1, le=1000)]
_MAX_NUMBER: Final = 2**63 - 1
"""Of a row; a database fails at greater ones."""
_Number = Annotated[int, Path(ge=0, le=_MAX_NUMBER)]


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]
"""The type of a parameter that is the whole body, whatever it is."""


@router.get("/v1/trust-anchors", response_model_exclude_none=True)
def trust_anchors(context: Given, _: Reader) -> list[forms.TrustAnchorForm]:
    """The software roots whose evidence is trusted, and the certificates of manufacturers."""
    return [
        forms.TrustAnchorForm(name=root.name, public_key=root.public_key)
        if root.certificate is None
        else forms.TrustAnchorForm(name=root.name, certificate=root.certificate, kind=root.kind)
        for root in Roots(context.database).all()
    ]


@router.post("/v1/trust-anchors", status_code=201, response_model_exclude_none=True)
def add_trust_anchor(
    anchor: forms.TrustAnchorForm, context: Given, admin: Admin
) -> forms.TrustAnchorForm:
    """Trust a software root (a P-256 key), or a manufacturer (a certificate); both in DER."""
    roots = Roots(context.database)
    if anchor.public_key is None:
        if anchor.certificate is None:
            raise HTTPException(400, "neither public_key nor certificate is given")
        kind = anchor.kind or RootKind.TPM
        if kind is RootKind.SOFTWARE:
            raise HTTPException(400, "a software root is a public_key, not a certificate")
        roots.add_manufacturer(
            anchor.name, anchor.certificate, at=context.now(), actor=admin.actor, kind=kind
        )
        return anchor.model_copy(update={"kind": kind})
    if anchor.certificate is not None:
        raise HTTPException(400, "both public_key and certificate are given, one is a root")
    try:
        key = p256_key_of_der(anchor.public_key)
    except KeyFormatError as error:
        raise HTTPException(400, f"public_key {error}") from error
    roots.add(anchor.name, key, at=context.now(), actor=admin.actor)
    return anchor


@router.delete("/v1/trust-anchors/{name}", status_code=204)
def remove_trust_anchor(name: str, context: Given, admin: Admin) -> Response:
    """Stop trusting a root, and revoke every instance it vouched for."""
    try:
        Roots(context.database).remove(name, at=context.now(), actor=admin.actor)
    except TabascoError as error:
        raise HTTPException(404, str(error)) from error
    return Response(status_code=204)


@router.get("/v1/instances")
def instances(context: Given, _: Reader) -> list[forms.InstanceForm]:
    """Every instance that ever enrolled, newest first."""
    now = context.now()
    return [
        forms.InstanceForm(
            instance_id=each.instance_id,
            state=each.state(now),
            platform=each.platform,
            root=each.root,
            measurement=each.measurement,
            version=each.version,
            enrolled_at=each.enrolled_at,
            expires_at=each.expires_at,
            machine=each.machine,
        )
        for each in Instances(context.database).all()
    ]


@router.get("/v1/revocations")
def revocations(context: Given, _: Reader) -> list[forms.RevocationForm]:
    """Every revocation, newest first."""
    return [
        forms.RevocationForm(
            subject=each.subject,
            value=each.value,
            reason=each.reason,
            revoked_at=each.revoked_at,
        )
        for each in Revocations(context.database).all()
    ]


@router.post("/v1/revocations", status_code=201)
def revoke(
    wanted: forms.NewRevocationForm, context: Given, admin: Admin
) -> forms.NewRevocationForm:
    """Revoke a measurement, key, certificate or instance; a second time changes nothing.

    What is enrolled by it is refused at once.
    """
    Revocations(context.database).add(
        wanted.subject, wanted.value, wanted.reason, at=context.now(), actor=admin.actor
    )
    return wanted


@router.get("/v1/reference-values")
def reference_values(context: Given, _: Reader) -> list[forms.ReferenceValueForm]:
    """Every reference value."""
    return [_shown(each) for each in ReferenceValues(context.database).all()]


@router.post("/v1/reference-values", status_code=201)
def add_reference_value(
    wanted: forms.NewReferenceValueForm, context: Given, admin: Admin
) -> forms.ReferenceValueForm:
    """Add a reference value in the operator's name."""
    value = ReferenceValue(
        wanted.kind,
        wanted.measurement,
        wanted.value,
        wanted.label,
        not_before=wanted.not_before,
        not_after=wanted.not_after,
    )
    added = ReferenceValues(context.database).add(value, at=context.now(), actor=admin.actor)
    return _shown(added)


@router.post(
    "/v1/reference-values/bundles",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}},
)
def import_bundle(bundle: Body, context: Given, admin: Admin) -> forms.ImportedBundleForm:
    """Import a bundle that a registered provider signed: a JWS over JSON, or a CoRIM."""
    found = ReferenceValues(context.database).import_bundle(
        bundle, at=context.now(), actor=admin.actor
    )
    return forms.ImportedBundleForm(
        provider=found.provider.name,
        version=found.provider.bundle_version,
        values=found.count,
        left_out=found.left_out,
        ended=found.ended,
    )


@router.get("/v1/reference-values/{number}")
def reference_value(number: _Number, context: Given, _: Reader) -> forms.ReferenceValueForm:
    """The reference value with this number."""
    try:
        return _shown(ReferenceValues(context.database).get(number))
    except TabascoError as error:
        raise HTTPException(404, str(error)) from error


@router.delete("/v1/reference-values/{number}", status_code=204)
def remove_reference_value(number: _Number, context: Given, admin: Admin) -> Response:
    """Delete the reference value with this number."""
    try:
        ReferenceValues(context.database).remove(number, at=context.now(), actor=admin.actor)
    except TabascoError as error:
        raise HTTPException(404, str(error)) from error
    return Response(status_code=204)


@router.get("/v1/providers")
def providers(context: Given, _: Reader) -> list[forms.ProviderForm]:
    """The providers whose bundles are accepted."""
    return [
        forms.ProviderForm(name=each.name, version=each.bundle_version)
        for each in ReferenceValues(context.database).providers()
    ]


@router.get("/v1/platform-keys")
def platform_keys(context: Given, _: Reader) -> list[forms.PlatformKeyForm]:
    """Keys of platforms whose evidence comes without a certificate."""
    return [_key_shown(each) for each in PlatformKeys(context.database).all()]


@router.post("/v1/platform-keys", status_code=201)
def add_platform_key(
    wanted: forms.NewPlatformKeyForm, context: Given, admin: Admin
) -> forms.PlatformKeyForm:
    """Trust evidence that a platform signs with this key; a second time changes nothing."""
    key = key_of(wanted.public_key)
    added = PlatformKeys(context.database).add(
        wanted.kind, wanted.instance, key, at=context.now(), actor=admin.actor
    )
    return _key_shown(added)


@router.delete("/v1/platform-keys/{number}", status_code=204)
def remove_platform_key(number: _Number, context: Given, admin: Admin) -> Response:
    """Remove a platform's key; what enrolled by it ends."""
    try:
        PlatformKeys(context.database).remove(number, at=context.now(), actor=admin.actor)
    except TabascoError as error:
        raise HTTPException(404, str(error)) from error
    return Response(status_code=204)


@router.get("/v1/policies")
def policies(context: Given, _: Reader) -> list[forms.PolicyForm]:
    """Every appraisal policy there was, newest first; that in force was not withdrawn."""
    return [_policy(each) for each in Policies(context.database).all()]


@router.post(
    "/v1/policies",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/toml": {}}}},
)
def put_in_force(
    document: Body,
    context: Given,
    admin: Admin,
    instead_of: Annotated[int | None, Query(ge=1, le=_MAX_NUMBER)] = None,
) -> forms.PolicyForm:
    """Put an appraisal policy (TOML) in force; its version has to be higher than the last.

    `instead_of` withdraws the version in force, if it is this one.
    """
    stored = Policies(context.database).put_in_force(
        document, at=context.now(), actor=admin.actor, instead_of=instead_of
    )
    return _policy(stored)


@router.post("/v1/policies/explain")
def explain(
    wanted: forms.ExplanationRequestForm, context: Given, _: Reader
) -> forms.ExplanationForm:
    """How evidence would be appraised, check by check; nothing is decided."""
    found = context.service.explain(
        NativeEvidence(wanted.kind, wanted.evidence, wanted.auxiliary),
        document=wanted.policy.encode(),
        at=wanted.at,
    )
    return forms.ExplanationForm.model_validate(as_json(found))


@router.get("/v1/audit/head")
def audit_head(context: Given, _: Reader) -> forms.AuditHeadForm:
    """The signed head of the audit log, to be kept elsewhere."""
    head, signed = context.service.signed_head()
    return forms.AuditHeadForm(number=head.number, hash=head.hash, signed=signed)


@router.get("/v1/audit/entries")
def audit_entries(
    context: Given,
    _: Reader,
    after: Annotated[int, Query(ge=0, le=_MAX_NUMBER)] = 0,
    most: _Count = 100,
) -> list[forms.AuditEntryForm]:
    """Entries of the audit log in their order."""
    return [
        forms.AuditEntryForm(
            number=each.number,
            at=each.at,
            actor=each.actor,
            action=each.action,
            subject=each.subject,
            outcome=each.outcome,
            hash=each.hash,
        )
        for each in AuditLog(context.database).entries(after=after, most=most)
    ]


def _shown(value: ReferenceValue) -> forms.ReferenceValueForm:
    return forms.ReferenceValueForm(
        kind=value.kind,
        measurement=value.measurement,
        value=value.value,
        label=value.label,
        not_before=value.not_before,
        not_after=value.not_after,
        number=value.number,
        provider=value.provider,
    )


def _key_shown(key: RegisteredKey) -> forms.PlatformKeyForm:
    return forms.PlatformKeyForm(
        kind=key.kind,
        instance=key.instance,
        public_key=key.public_key,
        number=key.number,
        provider=key.provider,
    )


def _policy(stored: StoredPolicy) -> forms.PolicyForm:
    return forms.PolicyForm(
        version=stored.version,
        digest=stored.digest,
        set_at=stored.set_at,
        withdrawn_at=stored.withdrawn_at,
        document=stored.document.decode(),
    )
