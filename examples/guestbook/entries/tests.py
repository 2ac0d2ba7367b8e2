from django.test import TestCase

from entries.models import Entry


class GuestbookTest(TestCase):
    def sign(self, **data):
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.post("/", {"name": "Ada", "message": "Three short words", **data})

    def test_an_entry_is_stored_and_its_words_are_counted(self):
        self.assertRedirects(self.sign(), "/")
        entry = Entry.objects.get()
        self.assertEqual((entry.name, entry.word_count.words), ("Ada", 3))
        self.assertIsNotNone(entry.word_count.finished_at)

    def test_the_page_shows_the_entry_escaped(self):
        self.sign(message="<b>bold</b>")
        page = self.client.get("/")
        self.assertContains(page, "&lt;b&gt;bold&lt;/b&gt;")
        self.assertContains(page, "1 word, counted by the worker")

    def test_an_entry_without_a_name_is_refused(self):
        page = self.sign(name="")
        self.assertContains(page, "This field is required.")
        self.assertFalse(Entry.objects.exists())

    def test_the_greeting_is_a_setting(self):
        with self.settings(GREETING="Hello from a test"):
            self.assertContains(self.client.get("/"), "Hello from a test")
