from django.urls import path
from notes import views

urlpatterns = [
    path("", views.front),
    path("notes", views.write),
    path("slow", views.slow),
    path("upload", views.upload),
]
