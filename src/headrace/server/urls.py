"""Every address of the application. Each has an expectation per role in the tests, or they fail."""

from django.urls import include, path

from headrace.portal import files, pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("healthz", pages.alive, name="alive"),
    path("roles/", pages.roles, name="roles"),
    path("roles/request", pages.request_role, name="request_role"),
    path("roles/invite", pages.invite_person, name="invite_person"),
    path("roles/review.csv", pages.access_review, name="access_review"),
    path("roles/<uuid:grant>/approve", pages.approve_role, name="approve_role"),
    path("roles/<uuid:grant>/refuse", pages.refuse_role, name="refuse_role"),
    path("roles/<uuid:grant>/end", pages.end_role, name="end_role"),
    path("audit/", pages.audit_trail, name="audit_trail"),
    path("files/<uuid:file>", files.download, name="download_file"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
]
handler403 = "headrace.portal.edge.forbidden"
