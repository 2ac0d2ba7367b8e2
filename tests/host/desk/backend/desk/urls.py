from django.urls import path
from jobs import views

urlpatterns = [
    path("", views.front),
    path("slow", views.slow),
    path("notes", views.notes),
    path("work", views.work),
]
