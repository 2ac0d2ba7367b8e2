from django.urls import path
from orders import views

urlpatterns = [
    path("", views.front),
    path("marks", views.marks),
    path("orders", views.write),
    path("changes", views.change),
]
