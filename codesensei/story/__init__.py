"""What a deploy would change, as a reviewer wants to know it."""

from codesensei.story.drift import of_drift
from codesensei.story.first import of_first_deploy
from codesensei.story.live import new_hostnames, of_processes, of_site, of_switch
from codesensei.story.migrations import of_database, of_migrations
from codesensei.story.packages import of_packages
from codesensei.story.policy import changes_policy, of_policy
from codesensei.story.release import ended, of_release
from codesensei.story.review import MARK as REVIEW_MARK
from codesensei.story.review import VARIABLE as REVIEWED
from codesensei.story.review import Previewed
from codesensei.story.section import Section, read, text_of
from codesensei.story.served import Served, latest, serving, with_same_password
from codesensei.story.server import WantedServer, of_server, removed_releases, stored
from codesensei.story.variables import Variable, of_variables

__all__ = [
    "REVIEWED",
    "REVIEW_MARK",
    "Previewed",
    "Section",
    "Served",
    "Variable",
    "WantedServer",
    "changes_policy",
    "ended",
    "latest",
    "new_hostnames",
    "of_database",
    "of_drift",
    "of_first_deploy",
    "of_migrations",
    "of_packages",
    "of_policy",
    "of_processes",
    "of_release",
    "of_server",
    "of_site",
    "of_switch",
    "of_variables",
    "read",
    "removed_releases",
    "serving",
    "stored",
    "text_of",
    "with_same_password",
]
