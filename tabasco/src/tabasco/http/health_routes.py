"""Whether the process lives and can do its work: for who starts and balances services."""

from typing import Final

from fastapi import APIRouter

from tabasco.errors import TabascoError
from tabasco.http import forms
from tabasco.http.context import Given

router: Final = APIRouter(tags=["health"], responses=forms.FAILURES)


class NotReadyError(Exception):
    """The service lives and cannot do its work; the message names what is missing."""


@router.get("/livez")
def alive() -> dict[str, str]:
    """Whether the process answers at all; if not, start it anew."""
    return {"status": "alive"}


@router.get("/readyz")
def ready(context: Given) -> dict[str, str]:
    """Whether the database answers in time and there is a result key; if not, ask another."""
    try:
        context.service.check_ready()
    except TabascoError as error:
        raise NotReadyError(str(error)) from error
    return {"status": "serving"}


@router.get("/healthz")
def health(context: Given) -> dict[str, str]:
    """The same as `/readyz`."""
    return ready(context)
