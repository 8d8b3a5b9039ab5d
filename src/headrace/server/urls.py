"""Every address of the application. Each has an expectation per role in the tests, or they fail."""

from django.urls import include, path

from headrace.portal import files, ledger, pages

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
    path("ledger/", ledger.trial_balance, name="ledger"),
    path("ledger/trial-balance.csv", ledger.trial_balance_file, name="ledger_file"),
    path("ledger/roll-forward/", ledger.roll_forward, name="ledger_roll_forward"),
    path("ledger/roll-forward.csv", ledger.roll_forward_file, name="ledger_roll_forward_file"),
    path("ledger/postings/", ledger.postings, name="ledger_postings"),
    path("ledger/postings.csv", ledger.postings_file, name="ledger_postings_file"),
    path("ledger/postings/<path:company>/<int:posting>", ledger.posting, name="ledger_posting"),
    path("ledger/periods/", ledger.accounting_periods, name="ledger_periods"),
    path("ledger/periods/<uuid:period>/close", ledger.close_period, name="close_period"),
    path("ledger/periods/<uuid:period>/ask", ledger.ask_period, name="ask_period"),
    path("ledger/periods/<uuid:period>/decide", ledger.decide_period, name="decide_period"),
    path("ledger/periods/<uuid:period>/journal.csv", ledger.hand_over_journal, name="hand_over_journal"),
    path("files/<uuid:file>", files.download, name="download_file"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
]
handler403 = "headrace.portal.edge.forbidden"
