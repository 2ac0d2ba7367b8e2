from django.db import transaction
from rest_framework import viewsets
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from .models import Report, Tick
from .serializers import ReportSerializer
from .tasks import count_words


class ReportViewSet(viewsets.ModelViewSet):
    queryset = Report.objects.order_by("pk")
    serializer_class = ReportSerializer

    def perform_create(self, serializer):
        report = serializer.save()
        transaction.on_commit(lambda: count_words.delay(report.pk))


@api_view()
@permission_classes([AllowAny])
def ticks(request):
    return Response({"count": Tick.objects.count()})
