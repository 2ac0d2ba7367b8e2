from django.db import models


class Report(models.Model):
    text = models.TextField()
    words = models.IntegerField(null=True, editable=False)


class Tick(models.Model):
    at = models.DateTimeField(auto_now_add=True)
