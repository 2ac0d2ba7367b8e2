from django.urls import include, path
from rest_framework import routers

from . import views

router = routers.DefaultRouter()
router.register("reports", views.ReportViewSet)

urlpatterns = [path("ticks/", views.ticks), path("", include(router.urls))]
