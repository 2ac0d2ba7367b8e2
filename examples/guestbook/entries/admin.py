from django.contrib import admin

from entries.models import Entry, WordCount


class WordCountInline(admin.StackedInline):
    model = WordCount
    readonly_fields = ["queued_at", "finished_at", "words"]
    can_delete = False
    extra = 0


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    list_display = ["name", "message", "created_at", "word_count"]
    search_fields = ["name", "message"]
    inlines = [WordCountInline]
