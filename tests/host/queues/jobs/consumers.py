from channels.consumer import SyncConsumer

from jobs.work import work


class Work(SyncConsumer):
    def work(self, message: dict) -> None:
        work(message["name"])
