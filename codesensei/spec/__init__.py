"""The stack config as frozen, checked values; every wrong input dies here, in preview."""

from codesensei.spec.broker_plan import BrokerPlan
from codesensei.spec.check import validate
from codesensei.spec.database_plan import URL_VARIABLE, DatabasePlan
from codesensei.spec.edge import Acme
from codesensei.spec.errors import Problem, SpecError
from codesensei.spec.load import ConfigError, Secrets, Stack, load
from codesensei.spec.names import Names
from codesensei.spec.stack import StackSpec
from codesensei.spec.words import meaning

__all__ = [
    "URL_VARIABLE",
    "Acme",
    "BrokerPlan",
    "ConfigError",
    "DatabasePlan",
    "Names",
    "Problem",
    "Secrets",
    "SpecError",
    "Stack",
    "StackSpec",
    "load",
    "meaning",
    "validate",
]
