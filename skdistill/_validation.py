"""Kept until every file imports from _checks and _sklearn."""

from ._checks import *
from ._sklearn import *
