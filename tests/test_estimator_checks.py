"""scikit-learn's own check_estimator on every public estimator."""

from helpers import small_mlp, small_mlp_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    LinearStudent,
    LinearStudentRegressor,
    MLPStudent,
    MLPStudentRegressor,
    TreeStudent,
    TreeStudentRegressor,
)


def expected_failures(estimator):
    """Mini-batches make a weight of two and a row twice differ; test_students.py has a statistical test instead.

    A distiller's teacher may refuse missing numbers in fit; the student, its files and so predict take them.
    """
    nets = (MLPStudent, MLPStudentRegressor)
    expected = {}
    if isinstance(estimator, nets) or isinstance(getattr(estimator, "student", None), nets):
        expected |= {f"check_sample_weight_equivalence_on_{kind}_data": "mini-batches" for kind in ("dense", "sparse")}
    if hasattr(estimator, "student"):
        expected["check_estimators_nan_inf"] = "predict takes them"
    return expected


def quick(net, **params):
    """Return a net that is trained in a hundred steps or two."""
    return net(batch_size=64, learning_rate=0.03, max_epochs=25, **params)


@parametrize_with_checks(
    [
        LinearStudent(),
        small_mlp(max_epochs=25),
        TreeStudent(),
        DistilledClassifier(LogisticRegression(), student="linear"),
        DistilledClassifier(LogisticRegression(), student="tree"),
        # of several labels too, which the tree knows
        DistilledClassifier(DecisionTreeClassifier(random_state=0), student="linear"),
        DistilledClassifier(LogisticRegression(), student=quick(small_mlp)),
        LinearStudentRegressor(),
        small_mlp_regressor(max_epochs=25),
        TreeStudentRegressor(),
        DistilledRegressor(LinearRegression(), student="linear"),
        DistilledRegressor(Ridge(), student="tree"),
        DistilledRegressor(Ridge(), student=quick(small_mlp_regressor)),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
