"""The service over HTTP and JSON, with a description in OpenAPI; needs the extra `http`."""

from tabasco.http.app import create_app, description
from tabasco.http.context import Context
from tabasco.http.records import RecordedRequests
from tabasco.http.serving import HttpService

__all__ = ["Context", "HttpService", "RecordedRequests", "create_app", "description"]
