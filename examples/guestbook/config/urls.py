from django.contrib import admin
from django.urls import path

from entries.views import GuestbookView

urlpatterns = [
    path("", GuestbookView.as_view(), name="guestbook"),
    path("admin/", admin.site.urls),
]
