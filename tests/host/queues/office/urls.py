from django.urls import path
from jobs import views

urlpatterns = [path("", views.front), path("give", views.give), path("left", views.left)]
