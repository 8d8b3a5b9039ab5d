"""Every address of the application. Each has an expectation per role in the tests, or they fail."""

from django.urls import include, path

from headrace.portal import catalogue_pages, files, pages, partner_pages

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
    path("partners/", partner_pages.partner_list, name="partners"),
    path("partners/open", partner_pages.open_partner, name="open_partner"),
    path("partners/<uuid:partner>", partner_pages.partner_page, name="partner"),
    path("partners/<uuid:partner>/edit", partner_pages.edit_partner, name="edit_partner"),
    path("partners/<uuid:partner>/name", partner_pages.name_partner, name="name_partner"),
    path("partners/<uuid:partner>/bank", partner_pages.ask_bank_data, name="ask_bank_data"),
    path("bank/<uuid:bank_account>/approve", partner_pages.approve_bank_data, name="approve_bank_data"),
    path("bank/<uuid:bank_account>/refuse", partner_pages.refuse_bank_data, name="refuse_bank_data"),
    path("levels/", partner_pages.level_list, name="levels"),
    path("levels/set", partner_pages.set_level, name="set_level"),
    path("levels/<uuid:proposal>/refuse", partner_pages.refuse_level, name="refuse_level"),
    path("segments/", partner_pages.segment_list, name="segments"),
    path("segments/define", partner_pages.define_segment, name="define_segment"),
    path("products/", catalogue_pages.product_list, name="products"),
    path("products/<uuid:product>", catalogue_pages.product_page, name="product"),
    path("rates/", catalogue_pages.rate_tables, name="rates"),
    path("imports/", catalogue_pages.import_list, name="imports"),
    path("imports/new", catalogue_pages.import_file, name="import_file"),
    path("imports/<uuid:run>", catalogue_pages.import_page, name="import"),
    path("fields/", catalogue_pages.field_list, name="fields"),
    path("fields/declare", catalogue_pages.declare_field, name="declare_field"),
    path("fields/source", catalogue_pages.set_system_of_record, name="set_system_of_record"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
]
handler403 = "headrace.portal.edge.forbidden"
