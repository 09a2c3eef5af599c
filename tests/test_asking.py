"""How teachers are asked: once, by name, in their own order of columns, with all that their fit needs."""

import runpy
import warnings

import numpy as np
import pytest
from helpers import Optional, RecordingTeacher
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdistill
from skdistill import DistilledClassifier, DistilledRegressor, compare
from skdistill.metrics import make_fidelity_scorer, make_retention_scorer

pd = Optional("pandas")


@pytest.fixture(scope="module")
def words():
    """A frame of three columns, labels "a", "b", "c", and a forest of them."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=["x", "y", "z"])
    y = np.array(["a", "b", "c"])[np.digitize(X["x"] + 0.1 * X["z"], [-0.5, 0.5])]
    return X, y, RandomForestClassifier(30, random_state=0).fit(X, y)


def as_frame(forest, X, order):
    return pd.DataFrame(forest.predict_proba(X), columns=forest.classes_)[order]


class TestNames:
    def test_a_callables_frame_is_matched_by_name(self, words):
        X, y, forest = words
        named = DistilledClassifier(lambda Z: as_frame(forest, Z, ["c", "a", "b"]), student="linear", alpha=1)
        plain = DistilledClassifier(forest, student="linear", alpha=1).fit(X, y)
        assert_allclose(named.fit(X, y).predict_proba(X), plain.predict_proba(X))
        assert_allclose(named.ask_teacher(X), forest.predict_proba(X))

    def test_given_answers_are_matched_by_name_in_fit_and_in_ask_teacher(self, words):
        X, y, forest = words
        shuffled = as_frame(forest, X, ["b", "c", "a"])
        for teacher in (None, forest):
            model = DistilledClassifier(teacher, student="linear", alpha=1).fit(X, y, teacher_proba=shuffled)
            assert_allclose(model.ask_teacher(X, teacher_proba=shuffled), forest.predict_proba(X))
            assert model.score(X, y) > 0.9

    def test_a_frames_names_may_be_written_out_numbers(self, words):
        X, y, forest = words
        index = np.searchsorted(forest.classes_, y)
        frame = pd.DataFrame(forest.predict_proba(X), columns=["0", "1", "2"])[["2", "0", "1"]]
        model = DistilledClassifier(student="linear", alpha=1).fit(X, index, teacher_proba=frame)
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.score(X, index) > 0.9

    def test_names_that_contradict_are_refused(self, words):
        X, y, forest = words
        wrong = pd.DataFrame(forest.predict_proba(X), columns=["a", "b", "d"])
        with pytest.raises(ValueError, match=r"columns named .*'d'.*expected \['a', 'b', 'c'\]"):
            DistilledClassifier(forest, student="linear").fit(X, y, teacher_proba=wrong)

    def test_outputs_of_a_regressor_are_matched_by_name(self, words):
        X = words[0]
        Y = pd.DataFrame({"first": X["x"], "second": 10 + X["y"]})
        ask = lambda Z: pd.DataFrame({"second": 10 + Z["y"], "first": Z["x"]})  # noqa: E731
        model = DistilledRegressor(ask, student="linear", alpha=0.5).fit(X, Y)
        assert_allclose(model.predict(X), Y, atol=0.1)
        assert_allclose(model.ask_teacher(X), Y)
        with pytest.raises(ValueError, match="third"):
            DistilledRegressor(lambda Z: ask(Z).rename(columns={"first": "third"}), student="linear").fit(X, Y)
        with pytest.raises(ValueError, match="not distinct"):
            DistilledRegressor(lambda Z: ask(Z).set_axis(["first"] * 2, axis=1), student="linear").fit(X, Y)
        # beside it one whose array is in y's order, and two whose names are not sorted
        array = LinearRegression().fit(X, Y)
        backwards = lambda Z: ask(Z).set_axis(["b", "a"], axis=1)  # noqa: E731
        for teachers, y in (([ask, array], Y), ([array, ask], Y), ([backwards, backwards], Y.to_numpy()[:, ::-1])):
            model = DistilledRegressor(teachers, student="linear", alpha=0.5).fit(X, y)
            assert_allclose(model.predict(X), y, atol=0.1)

    def test_classes_are_the_order_of_all_columns_without_names(self, words):
        X, y, forest = words
        P = forest.predict_proba(X)
        for teacher in (
            [forest, lambda Z: forest.predict_proba(Z)[:, ::-1]],
            lambda Z: forest.predict_proba(Z)[:, ::-1],
        ):
            model = DistilledClassifier(teacher, student="linear", classes=["c", "b", "a"]).fit(X, y)
            assert_allclose(model.ask_teacher(X), P)
            for given in ({}, {"classes": ["c", "b", "a"]}):
                report = compare(teacher, {"student": model}, X, y, latency=False, **given)
                assert report.table["teacher"]["accuracy"] == forest.score(X, y)
        for teacher in (forest, None):
            model = DistilledClassifier(teacher, student="linear", classes=["c", "b", "a"], alpha=1)
            assert model.fit(X, y, teacher_proba=P[:, ::-1]).score(X, y) > 0.9
            assert_allclose(model.ask_teacher(X, teacher_proba=P[:, ::-1]), P)

    def test_written_numbers_are_names_and_the_default_names_of_a_frame_are_not(self):
        X = np.random.default_rng(0).normal(size=(200, 2))
        one, two = (np.column_stack([p, 1 - p]) for p in (1 / (1 + np.exp(-X.T))))
        lists = [lambda Z: pd.DataFrame(one, columns=[0, 1]), lambda Z: pd.DataFrame(two, columns=[1, 2])]
        model = DistilledClassifier(lists, student="linear", alpha=1).fit(X)
        assert_array_equal(model.classes_, [0, 1, 2])
        assert_allclose(
            model.ask_teacher(X), np.column_stack([one, 0 * X[:, 0]]) / 2 + np.column_stack([0 * X[:, 0], two]) / 2
        )
        named = DistilledClassifier(lambda Z: pd.DataFrame(one), student="linear", classes=["no", "yes"]).fit(X)
        assert_allclose(named.ask_teacher(X), one)

    @pytest.mark.parametrize("kind", [bool, float, int])
    def test_a_frames_names_are_labels_written_out_in_the_type_of_y(self, kind):
        X = np.random.default_rng(0).normal(size=(200, 2))
        y = (X[:, 0] > 0).astype(kind)
        P = LogisticRegression().fit(X, y).predict_proba(X)
        names = [str(label) for label in np.unique(y if kind is bool else y.astype(int))]
        model = DistilledClassifier(student="linear", alpha=0.5)
        model.fit(X, y, teacher_proba=pd.DataFrame(P, columns=names)[names[::-1]])
        assert model.classes_.dtype == y.dtype
        assert model.score(X, y) > 0.95


class TestColumns:
    @pytest.mark.parametrize("scorer", [make_fidelity_scorer(), make_retention_scorer("neg_log_loss")])
    def test_a_reordered_frame_is_the_same_frame(self, words, scorer):
        X, y, forest = words
        other = X[["z", "x", "y"]]
        model = DistilledClassifier(forest, student="linear", alpha=0.5).fit(X, y)
        assert_allclose(model.ask_teacher(other), model.ask_teacher(X))
        assert scorer(model, other, y) == pytest.approx(scorer(model, X, y))
        assert_allclose(model.fit(other, y).ask_teacher(X), forest.predict_proba(X))

    def test_a_callable_gets_the_columns_as_in_fit(self, words):
        X, y, forest = words
        by_place = lambda Z: forest.predict_proba(pd.DataFrame(np.asarray(Z), columns=X.columns))  # noqa: E731
        model = DistilledClassifier(by_place, student="linear", alpha=1, classes=["a", "b", "c"]).fit(X, y)
        assert_allclose(model.ask_teacher(X[["z", "x", "y"]]), forest.predict_proba(X))

    def test_reports_displays_and_pruning_put_columns_in_order_too(self, words):
        X, y, forest = words
        model = DistilledClassifier(forest, student="linear", alpha=0.5).fit(X, y)
        fidelity = [
            compare(forest, {"linear": model}, rows, y, latency=False).table["linear"]["fidelity"]
            for rows in (X, X[["y", "z", "x"]])
        ]
        assert fidelity[0] == fidelity[1]

    def test_lightgbm_rewrites_the_names_of_columns(self):
        lightgbm = pytest.importorskip("lightgbm")
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["mean radius", "other\tone"])
        y = (X["mean radius"] > 0).astype(int)
        teacher = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(X, y)
        assert DistilledClassifier(teacher, student="linear", alpha=0.5).fit(X, y).score(X, y) > 0.9

    def test_columns_named_by_numbers_are_matched_by_name(self, tmp_path):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(300, 3)), columns=[10, 20, 30])
        y = (X[10] > 0).astype(int)
        for model in (skdistill.LinearStudent(), DistilledClassifier(LogisticRegression(), student="linear")):
            fitted = model.fit(X, y)
            assert_allclose(fitted.predict_proba(X[[30, 10, 20]]), fitted.predict_proba(X))
            fitted.export(tmp_path / "student.skd")
            fitted.export(tmp_path / "student.py")
            loaded = skdistill.load(tmp_path / "student.skd")
            assert_allclose(loaded.predict_proba(X[[30, 10, 20]]), fitted.predict_proba(X))
            module = runpy.run_path(str(tmp_path / "student.py"))
            assert_allclose(module["predict_proba"](X[[30, 10, 20]]), fitted.predict_proba(X))
            with pytest.warns(UserWarning, match="matched by position"):
                fitted.predict_proba(X.set_axis([1, 2, 3], axis=1))


class TestFitted:
    class Mean:
        """A model of one's own that keeps no attribute with a trailing underscore."""

        def __init__(self, *models):
            self.models = models

        def fit(self, X, y):
            for model in self.models:
                model.fit(X, y)
            return self

        def predict_proba(self, X):
            return np.mean([model.predict_proba(X) for model in self.models], axis=0)

    class Known(ClassifierMixin, BaseEstimator):
        """An estimator of one's own that keeps its state in an attribute of another name."""

        def __init__(self, C=1.0):
            self.C = C

        def fit(self, X, y):
            self.inside = LogisticRegression(C=self.C).fit(X, y)
            return self

        def predict_proba(self, X):
            return self.inside.predict_proba(X)

    class Declared(Known):
        """One whose constructor declares its state, so that a fitted one has no other attributes than a new one."""

        def __init__(self, C=1.0):
            self.C, self.weight = C, np.zeros(2)

        def fit(self, X, y):
            self.weight += self.C * LogisticRegression().fit(X, y).coef_[0]
            return self

        def predict_proba(self, X):
            p = 1 / (1 + np.exp(-np.asarray(X) @ self.weight))
            return np.column_stack([1 - p, p])

    class Holding(Known):
        """One that holds its models in a container."""

        def __init__(self, models=None):
            self.models = models

        def fit(self, X, y):
            raise AssertionError("a fitted model of the user's own is fitted")

        def predict_proba(self, X):
            return self.models["logistic"][0].predict_proba(X)

    @pytest.mark.parametrize("kind", [Declared, Holding])
    def test_clones_and_searches_keep_a_fitted_model_of_ones_own(self, kind):
        X = np.random.default_rng(0).normal(size=(300, 2))
        y = (X[:, 0] > 0).astype(int)
        inside = LogisticRegression().fit(X, y)
        teacher = kind({"logistic": [inside]}) if kind is self.Holding else kind().fit(X, y)
        model = DistilledClassifier(teacher, student="linear", alpha=1)
        assert clone(model).teacher is teacher
        assert GridSearchCV(model, {"temperature": [1.0, 2.0]}, cv=2).fit(X, y).best_estimator_.teacher_ is teacher
        with pytest.raises(ValueError, match="the teacher is fitted"):
            model.set_params(teacher__C=2.0)
        frozen = DistilledClassifier(FrozenEstimator(teacher), student="linear", alpha=1).fit(X, y)
        assert_allclose(frozen.ask_teacher(X), teacher.predict_proba(X))

    @pytest.mark.parametrize("kind", [lambda: TestFitted.Mean(LogisticRegression()), lambda: TestFitted.Known()])
    def test_a_fitted_model_of_ones_own_is_never_fitted_again(self, kind):
        rng = np.random.default_rng(0)
        old, X = rng.normal(size=(500, 2)), rng.normal(size=(200, 2))
        teacher = kind().fit(old, (old[:, 0] > 0).astype(int))
        noise = rng.integers(0, 2, 200)
        expected = teacher.predict_proba(X)
        model = DistilledClassifier(teacher, student="linear", alpha=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says nothing of these labels, which is said
            assert_allclose(model.fit(X, noise).ask_teacher(X), expected)
            search = GridSearchCV(model, {"temperature": [1.0, 2.0]}, cv=2).fit(X, noise)
        assert_allclose(search.best_estimator_.ask_teacher(X), expected)
        assert_allclose(teacher.predict_proba(X), expected)

    @pytest.mark.parametrize("kind", [lambda: TestFitted.Mean(LogisticRegression()), lambda: TestFitted.Known()])
    def test_an_unfitted_model_of_ones_own_is_fitted(self, kind, words):
        X, y, _ = words
        teacher = kind()
        assert (
            DistilledClassifier(teacher, student="linear", alpha=1, classes=["a", "b", "c"]).fit(X, y).score(X, y) > 0.8
        )
        with pytest.raises(Exception, match=r"not fitted|inside"):
            teacher.predict_proba(X)

    def test_what_cannot_be_told_is_refused_with_the_remedy(self, words):
        class Broken(self.Mean):
            def predict_proba(self, X):
                raise KeyError("weights")

        with pytest.raises(ValueError, match=r"is unknown.*KeyError.*FrozenEstimator"):
            DistilledClassifier(Broken(), student="linear").fit(*words[:2])

    def test_a_frozen_estimator_is_the_spelled_out_form(self, words):
        X, y, forest = words
        model = DistilledClassifier(FrozenEstimator(forest), student="linear", alpha=1).fit(X, y)
        assert_allclose(model.ask_teacher(X), forest.predict_proba(X))


class TestOutOfFold:
    def test_clones_get_the_fit_parameters_of_the_teacher(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(900, 3))
        truth = (X[:, 0] > 0).astype(int)
        wrong = rng.random(900) < 0.6
        y, weight = np.where(wrong, 1 - truth, truth), np.where(wrong, 0.0, 1.0)
        teacher = make_pipeline(StandardScaler(), LogisticRegression())
        for fitted in (False, True):
            model = DistilledClassifier(teacher, student="linear", alpha=1, cv=3)
            if fitted:
                teacher = teacher.fit(X, y, logisticregression__sample_weight=weight)
            model.fit(X, y, logisticregression__sample_weight=weight)
            assert (model.predict(X) == truth).mean() > 0.95
        regressor = DistilledRegressor(make_pipeline(StandardScaler(), Ridge()), student="linear", alpha=1, cv=3)
        regressor.fit(X, np.where(wrong, 100.0, X[:, 0]), ridge__sample_weight=weight)
        assert abs(regressor.predict(X) - X[:, 0]).max() < 1

    def test_what_cannot_be_fitted_on_folds_is_refused(self, words):
        X, y, _ = words
        teacher = TestFitted.Mean(LogisticRegression()).fit(X, y)
        with pytest.raises(ValueError, match="a clone of teacher Mean is fitted already"):
            DistilledClassifier(teacher, student="linear", classes=["a", "b", "c"], cv=3).fit(X, y)
        order = np.argsort(y)
        with pytest.raises(ValueError, match="not every fold has every class"):
            DistilledClassifier(TestFitted.Known(), student="linear", cv=KFold(3)).fit(X.iloc[order], y[order])

    def test_catboost_with_lists_in_its_constructor_is_cross_fitted(self):
        catboost = pytest.importorskip("catboost")
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"a": rng.normal(size=300), "k": rng.choice(list("pq"), 300)})
        y = (X["a"] > 0).astype(int)
        silent = {"silent": True, "allow_writing_files": False, "iterations": 5}
        for fitted in (False, True):
            teacher = catboost.CatBoostClassifier(cat_features=["k"], **silent)
            teacher = teacher.fit(X, y) if fitted else teacher
            assert DistilledClassifier(teacher, student="tree", alpha=0.5, cv=2).fit(X, y).score(X, y) > 0.9

    @pytest.mark.parametrize("routing", [False, True])
    def test_groups_stay_together(self, routing):
        rng = np.random.default_rng(0)
        X, groups = rng.normal(size=(120, 2)), np.repeat(np.arange(12), 10)
        seen = []

        class Noting(LinearRegression):
            def fit(self, X, y):
                seen.append(len(X))
                self.rows = {tuple(row) for row in X}
                return super().fit(X, y)

            def predict(self, X):
                if len(X) < 120:
                    inside = {
                        group for row, group in zip(map(tuple, all_rows), groups, strict=True) if row in self.rows
                    }
                    asked = {
                        group
                        for row, group in zip(map(tuple, all_rows), groups, strict=True)
                        if row in set(map(tuple, X))
                    }
                    assert not inside & asked
                return super().predict(X)

        all_rows = X
        with skdistill_routing(routing):
            model = DistilledRegressor(Noting(), student="linear", alpha=0.5, cv=GroupKFold(3))
            model.fit(X, X[:, 0], groups=groups)
        assert seen == [120, 80, 80, 80]
        assert model.distillation_report_["origin"] == "out_of_fold"

    def test_the_whole_teacher_is_asked_only_for_rows_that_no_clone_answers(self, words):
        X, y, _ = words
        asked = []

        class Noting(LogisticRegression):
            def predict_proba(self, X):
                asked.append(len(X))
                return super().predict_proba(X)

        DistilledClassifier(Noting(), student="linear", alpha=0.5, cv=KFold(3)).fit(X, y)
        assert asked == [100, 100, 100]
        asked.clear()
        DistilledClassifier(
            Noting(), student="linear", alpha=0.5, cv=ShuffleSplit(1, test_size=100, random_state=0)
        ).fit(X, y)
        assert sorted(asked) == [100, 200]

    def test_a_forest_in_every_bag_answers_itself(self, words):
        X, y, _ = words
        forest = RandomForestClassifier(4, oob_score=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model = DistilledClassifier(forest, student="linear", alpha=1, cv="oob").fit(X, y)
            regressor = RandomForestRegressor(4, oob_score=True, random_state=0)
            DistilledRegressor(regressor, student="linear", alpha=1, cv="oob").fit(X, X["x"])
        assert model.distillation_report_["origin"] == "out_of_fold"


class TestOrigin:
    def test_it_is_known_where_answers_come_from(self, words):
        X, y, forest = words

        def origin(teacher, given=None, **params):
            model = DistilledClassifier(teacher, student="linear", alpha=0.5, **params)
            return model.fit(X, y, teacher_proba=given).distillation_report_["origin"]

        assert origin(LogisticRegression()) == "in_sample"
        assert origin(LogisticRegression(), cv=2) == "out_of_fold"
        assert origin(forest) == "unknown"
        assert origin(forest, cv="prefit") == "unseen"
        assert origin(None, forest.predict_proba(X)) == "unknown"

    def test_prefit_needs_a_fitted_teacher(self, words):
        with pytest.raises(ValueError, match="cv='prefit' needs a teacher that has been fitted"):
            DistilledClassifier(LogisticRegression(), student="linear", cv="prefit").fit(*words[:2])


class TestLabels:
    @pytest.mark.parametrize("teacher", [RandomForestClassifier(10, random_state=0), None])
    def test_minus_one_is_a_class_like_any_other(self, teacher):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(600, 3))
        y = np.digitize(X[:, 0], [-0.4, 0.4]) - 1
        proba = np.eye(3)[y + 1] * 0.9 + 0.1 / 3
        given = proba if teacher is None else None
        model = DistilledClassifier(teacher, student="linear").fit(X, y, teacher_proba=given)
        assert_array_equal(model.classes_, [-1, 0, 1])
        assert model.score(X, y) > 0.9
        assert model.distillation_report_["n_labelled"] == 600

    def test_rows_without_a_label_come_as_x_unlabeled(self, words):
        X, y, forest = words
        with pytest.raises(ValueError, match=r"-1.*X_unlabeled"):
            DistilledClassifier(forest, student="linear").fit(X, np.where(y == "a", -1, y.astype(object)))
        index = np.searchsorted(forest.classes_, y)
        teacher = RandomForestClassifier(10, random_state=0).fit(X, index)
        with pytest.raises(ValueError, match=r"-1.*does not know.*X_unlabeled"):
            DistilledClassifier(teacher, student="linear").fit(X, np.where(index == 0, -1, index))
        with pytest.raises(ValueError, match=r"NaN.*X_unlabeled"):
            DistilledRegressor(Ridge(), student="linear").fit(X, np.where(y == "a", np.nan, 1.0))

    def test_answers_for_unlabelled_rows_are_given_below(self, words):
        X, y, forest = words
        teacher = DistilledClassifier(forest, student="linear", alpha=0.5).fit(X[:200], y[:200], X_unlabeled=X[200:])
        given = DistilledClassifier(student="linear", alpha=0.5).fit(
            X[:200], y[:200], X_unlabeled=X[200:], teacher_proba=forest.predict_proba(X)
        )
        assert_allclose(given.predict_proba(X), teacher.predict_proba(X))
        with pytest.raises(ValueError, match="append those for the 100 rows of X_unlabeled"):
            given.fit(X[:200], y[:200], X_unlabeled=X[200:], teacher_proba=forest.predict_proba(X[:200]))

    def test_a_missing_label_is_refused_with_the_remedy(self, words):
        X, _, forest = words
        with pytest.raises(ValueError, match=r"y contains NaN.*rows without a label are passed as X_unlabeled"):
            DistilledClassifier(forest).fit(X, np.full(len(X), np.nan))

    def test_a_search_never_takes_a_fold_of_unlabelled_rows(self):
        rng = np.random.default_rng(0)
        X, U = rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
        y = (X[:, 0] > 0).astype(int)
        teacher = RecordingTeacher()
        search = GridSearchCV(
            DistilledClassifier(teacher, student="linear", alpha=0.5), {"temperature": [1.0]}, cv=2, refit=False
        )
        with pytest.raises(ValueError, match=r"X_unlabeled=lambda: rows"):
            search.set_params(error_score="raise").fit(X, y, X_unlabeled=U)
        teacher.seen.clear()
        search.fit(X, y, X_unlabeled=lambda: U)
        assert [len(rows) for rows in teacher.seen] == [30, 60, 30, 60]
        teacher.seen.clear()
        DistilledClassifier(teacher, student="linear", alpha=0.5).fit(X, y, X_unlabeled=U)
        assert [len(rows) for rows in teacher.seen] == [60, 60]


class TestUseless:
    def test_a_teacher_of_another_target_is_named(self, words):
        X, y, forest = words
        shuffled = np.random.default_rng(0).permutation(y)
        with pytest.warns(UserWarning, match=r"teacher RandomForestClassifier says little of these labels"):
            DistilledClassifier(forest, student="linear", alpha=0.5).fit(X, shuffled)
        with pytest.warns(UserWarning, match=r"teacher_proba says little of these labels"):
            DistilledClassifier(student="linear", alpha=0.5).fit(X, shuffled, teacher_proba=forest.predict_proba(X))

    def test_finding_a_rare_class_is_useful_however_sure_the_teacher_is_of_itself(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(2000, 2))
        y = (X.sum(axis=1) + rng.normal(size=2000) > 3).astype(int)
        # it finds half of the rare class, is no more accurate than "never", and its log-loss is far above chance
        hard = ((X.sum(axis=1) > 2.4)[:, None] == [False, True]).astype(float)
        assert np.mean(hard.argmax(axis=1) == y) <= np.mean(y == 0) + 0.01
        DistilledClassifier(student="linear", alpha=0.5).fit(X, y, teacher_proba=hard)

    def test_a_regressor_in_another_unit_is_named(self, words):
        X = words[0]
        price = np.exp(10 + X["x"])
        teacher = Ridge().fit(X, np.log(price))
        with pytest.warns(UserWarning, match=r"teacher Ridge says little.*R2.*same unit"):
            DistilledRegressor(teacher, student="linear", alpha=0.5).fit(X, price)

    def test_a_teacher_that_was_fitted_before_a_searched_step_is_named(self, words):
        X, y, _ = words
        rows = X.to_numpy()
        teacher = RandomForestClassifier(10, random_state=0).fit(StandardScaler().fit_transform(rows), y)
        pipeline = make_pipeline(StandardScaler(), DistilledClassifier(teacher, student="linear", alpha=0.5))
        pipeline.fit(rows, y)
        with pytest.warns(UserWarning, match=r"teacher RandomForestClassifier was fitted before the search"):
            GridSearchCV(pipeline, {"distilledclassifier__alpha": [0.5]}, cv=2).fit(rows, y)


def test_what_was_used_is_an_attribute_and_the_report_has_fixed_keys(words):
    X, y, forest = words
    plain = DistilledClassifier(forest, student="linear", alpha=0.3, temperature=2.0).fit(X, y)
    chosen = DistilledClassifier(forest, student="linear").fit(X, y)
    regressor = DistilledRegressor(Ridge(), student="linear").fit(X, X["x"])
    assert (plain.alpha_, plain.temperature_) == (0.3, 2.0)
    assert chosen.alpha_ in (0.0, 0.5, 1.0)
    assert not hasattr(regressor, "temperature_")
    assert plain.distillation_report_.keys() == chosen.distillation_report_.keys()
    assert plain.distillation_report_.keys() == regressor.distillation_report_.keys()


def skdistill_routing(enabled):
    import sklearn

    return sklearn.config_context(enable_metadata_routing=enabled)
