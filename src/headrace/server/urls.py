"""Every address of the application. Each has an expectation per role in the tests, or they fail."""

from django.urls import include, path

from headrace.portal import files, pages, programs, sales

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
    path("sales/", sales.sales, name="sales"),
    path("sales/deliver", sales.deliver, name="deliver"),
    path("sales/profile", sales.save_profile, name="save_profile"),
    path("sales/<uuid:delivery>/", sales.delivery, name="delivery"),
    path("programs/", programs.programs, name="programs"),
    path("programs/write", programs.write_terms, name="write_terms"),
    path("programs/save", programs.save_terms, name="save_terms"),
    path("programs/version/<uuid:version>/<str:event>", programs.step_version, name="step_version"),
    path("programs/of/<str:code>/", programs.program, name="program"),
    path("programs/of/<str:code>/finalise", programs.ask_to_finalise, name="ask_to_finalise"),
    path("requests/", programs.all_requests, name="requests"),
    path("requests/<uuid:request_id>/", programs.one_request, name="request"),
    path("requests/<uuid:request_id>/approve", programs.approve_request, name="approve_request"),
    path("requests/<uuid:request_id>/reject", programs.reject_request, name="reject_request"),
    path("requests/<uuid:request_id>/withdraw", programs.withdraw_request, name="withdraw_request"),
    path("balances/", programs.balances, name="balances"),
    path("balances/of", programs.balance, name="balance"),
    path("statements/", programs.statements, name="statements"),
    path("statements/<str:run>/", programs.statement, name="statement"),
    path("statements/<str:run>/csv", programs.download_statement, name="download_statement"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
]
handler403 = "headrace.portal.edge.forbidden"
