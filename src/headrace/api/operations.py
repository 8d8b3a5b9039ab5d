"""The operations of the API, and the document that describes them (OpenAPI 3.1)."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from pydantic.json_schema import models_json_schema

from headrace.api import administration, calling, data, ledger, masters, problems, programs
from headrace.engine.findings import Refusal

_ANSWERS = {
    400: "The request cannot be read.",
    401: "There is no token, or it ended.",
    403: "The caller may not do this, or the token may not.",
    404: "There is no such record, or it is not the caller's to see.",
    409: "It was refused: the code says why, and nothing was done.",
    413: "The request is too large.",
    415: "The body is of a kind that is not taken.",
    422: "The request is not as documented.",
    429: "The token calls too often.",
    503: "Another write takes long; send the same again.",
}


class Api(NinjaAPI):
    """The API, with what every operation has in common in its document."""

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        """Describe the operations, with their refusals and the header that writes need."""
        described = super().get_openapi_schema(**given)
        _, shapes = models_json_schema(
            [(problems.Problem, "serialization")], ref_template="#/components/schemas/{model}"
        )
        described["components"]["schemas"] |= shapes["$defs"]
        said = {"content": {problems.TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        refusals = {status: {"description": text, **said} for status, text in _ANSWERS.items()}
        for operations in described["paths"].values():
            for method, operation in operations.items():
                operation["responses"] = {**operation["responses"], **refusals}
                if method != "get":
                    operation["parameters"].append(_KEY)
        return described


_KEY = {
    "in": "header",
    "name": calling.KEY_HEADER,
    "required": True,
    "description": "Names this write: sent again under the same key, it is answered again and not done again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": calling.KEY_MAX, "pattern": "^[!-~]+$"},
}

api = Api(
    title="Headrace",
    version="1",
    description="Channel incentives: the same services as the pages. Amounts are decimal strings, days ISO 8601.",
    docs_url=None,
    urls_namespace="api",
    parser=problems.JsonBody(),
    auth=calling.Token(),
)
for _router in (data.router, programs.router, ledger.router, masters.router, administration.router):
    api.add_router("", _router)
for _error, _answer in (
    (Refusal, problems.refused),
    (ValidationError, problems.unreadable),
    (AuthenticationError, problems.unauthenticated),
    (HttpError, problems.failed),
    (MultiPartParserError, problems.garbled),
    (RequestDataTooBig, problems.too_large),
    (problems.TooManyCalls, problems.limited),
    (OperationalError, problems.busy),
):
    api.add_exception_handler(_error, _answer)  # type: ignore[arg-type]
