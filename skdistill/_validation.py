"""Kept until every file imports from _checks and _sklearn."""
from ._checks import *
from ._sklearn import *
from ._checks import check_complete as check_no_gaps, is_complete, SUM_TOLERANCE, _is_flat
from sklearn.utils._param_validation import InvalidParameterError
