"""What can be saved from the page as a file."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from colima.runtime import ContentKind
from durango.policy.meaning import explain_policy
from durango.ui.desk import Desk, opening_name
from durango.ui.results import written

_BYTES = "application/octet-stream"


async def download(desk: Desk, what: str) -> Response:
    """The file that a ticket was for.

    Raises:
        HTTPException: it is not there any more.
        VeracruzError: it cannot be had.
    """
    policy = desk.seat.policy
    name = policy.digest.short
    match what.split(" "):
        case ["explanation"]:
            page = explain_policy(policy).to_html().encode()
            return _file(page, f"policy-{name}.html", "text/html; charset=utf-8")
        case ["bundle"]:
            return _file(await desk.bundle(), f"receipts-{name}.cbor", _BYTES)
        case ["opening", kind, package]:
            opening = desk.openings.get((ContentKind[kind], int(package)))
            if opening is not None:
                return _file(opening.to_json(), opening_name(opening), "application/json")
        case ["result"] if (result := _result(desk)) is not None:
            return _file(result, f"result-{name}.bin", _BYTES)
        case ["result.csv"] if (result := _result(desk)) is not None and policy.result.kind:
            text = written(result, policy.result.kind, "csv")
            return _file(text, f"result-{name}.csv", "text/csv; charset=utf-8")
        case ["result.json"] if (result := _result(desk)) is not None and policy.result.kind:
            text = written(result, policy.result.kind, "json")
            return _file(text, f"result-{name}.json", "application/json")
    raise HTTPException(404, "this is not here any more: go back to the page")


def _result(desk: Desk) -> bytes | None:
    return None if desk.fetching is None else desk.fetching.result


def _file(content: bytes, name: str, kind: str) -> Response:
    # Saved, never shown: what others wrote is in it.
    return Response(
        content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
