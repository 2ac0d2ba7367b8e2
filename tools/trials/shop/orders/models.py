from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=50)


class Mark(models.Model):
    word = models.CharField(max_length=20)


class Order(models.Model):
    text = models.CharField(max_length=100)
    note = models.CharField(max_length=50, default="")
    amount = models.IntegerField(null=True)
    code = models.IntegerField(null=True)
