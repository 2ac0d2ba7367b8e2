"""The stack config as frozen, checked values; every wrong input dies here, in preview."""

from codesensei.config.check import validate
from codesensei.config.database import URL_VARIABLE
from codesensei.config.edge import Acme
from codesensei.config.load import ConfigError, Secrets, Stack, load
from codesensei.config.plans import BrokerPlan, DatabasePlan
from codesensei.config.policy import waived_on_server
from codesensei.config.problems import BadConfig, Problem
from codesensei.config.stack import StackConfig

__all__ = ["URL_VARIABLE", "Acme", "BadConfig", "BrokerPlan", "ConfigError", "DatabasePlan", "Problem"]
__all__ += ["Secrets", "Stack", "StackConfig", "load", "validate", "waived_on_server"]
