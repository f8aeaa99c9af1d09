"""Services in the form of Intel's PCS and AMD's KDS on this machine, with faults on demand."""

import json
import threading
import urllib.parse
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Vendor:
    """What is served by path (with its query), and what went on.

    Attributes:
        pages: headers and body.
        faults: statuses that the next answers have instead.
        asked: every path that was asked for.
    """

    pages: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    faults: deque[int] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def serve_intel(self, text: bytes, tee: str, fmspc: str, authority: str = "platform") -> None:
        """Serve collateral, as one JSON object, in the answers it would come in."""
        parts = json.loads(text)
        base, sgx = f"/{tee}/certification/v4", "/sgx/certification/v4"
        for path, name, member, header in (
            (f"{base}/tcb?fmspc={fmspc}", "tcb_info", "tcbInfo", "TCB-Info-Issuer-Chain"),
            (f"{base}/qe/identity", "qe_identity", "enclaveIdentity",
             "SGX-Enclave-Identity-Issuer-Chain"),
        ):  # fmt: skip
            body = f'{{"{member}":{parts[name]},"signature":"{parts[f"{name}_signature"]}"}}'
            chain = urllib.parse.quote(parts[f"{name}_issuer_chain"])
            self.pages[path] = {header: chain}, body.encode()
        chain = urllib.parse.quote(parts["pck_crl_issuer_chain"])
        listed = {"SGX-PCK-CRL-Issuer-Chain": chain}, bytes.fromhex(parts["pck_crl"])
        self.pages[f"{sgx}/pckcrl?ca={authority}&encoding=der"] = listed
        self.pages["/root.der"] = {}, bytes.fromhex(parts["root_ca_crl"])


@contextmanager
def serving(vendor: Vendor) -> Iterator[Vendor]:
    """A vendor with its services up; `url` is where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            vendor.asked.append(self.path)
            status = vendor.faults.popleft() if vendor.faults else 200
            if status == 200 and self.path not in vendor.pages:
                status = 404
            headers, body = vendor.pages[self.path] if status == 200 else ({}, b"")
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()
