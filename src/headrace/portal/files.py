"""Handing out stored files, after the one permission check."""

import uuid

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest
from django.utils import timezone
from django.views.decorators.http import require_GET

from headrace.foundation import files
from headrace.portal.edge import person


@login_required
@require_GET
def download(request: HttpRequest, file: uuid.UUID) -> FileResponse:
    """Hand out a file as an attachment, never shown inside our pages."""
    stored, path = files.open_stored(file=file, viewer=person(request), at=timezone.now())
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=stored.name, content_type=files.KINDS[stored.kind]
    )
