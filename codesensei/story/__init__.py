"""What a deploy would change, as a reviewer wants to know it."""

from codesensei.story.live import processes, site, switch
from codesensei.story.packages import packages
from codesensei.story.release import first_deploy, release
from codesensei.story.section import Section, read, text_of
from codesensei.story.served import Served
from codesensei.story.variables import Variable, variables

__all__ = ["Section", "Served", "Variable", "first_deploy", "packages", "processes", "read", "release", "site"]
__all__ += ["switch", "text_of", "variables"]
