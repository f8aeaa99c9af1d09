"""The service over HTTP and JSON, with a description in OpenAPI; needs the extra `http`."""

from tabasco.api.app import create_app, description
from tabasco.api.context import Context
from tabasco.api.serving import HttpService, TlsFiles

__all__ = ["Context", "HttpService", "TlsFiles", "create_app", "description"]
