from django.db.models import F
from django.shortcuts import get_object_or_404, redirect
from django.views import generic

from .models import Question


class IndexView(generic.ListView):
    template_name = "polls/index.html"
    ordering = "-pub_date"
    model = Question


class DetailView(generic.DetailView):
    model = Question
    template_name = "polls/detail.html"


class ResultsView(generic.DetailView):
    model = Question
    template_name = "polls/results.html"


def vote(request, question_id):
    question = get_object_or_404(Question, pk=question_id)
    question.choice_set.filter(pk=request.POST["choice"]).update(votes=F("votes") + 1)
    return redirect("polls:results", question.pk)
