"""FidelityDisplay: the student's answers against the teacher's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import r2_score

from ..metrics import fidelity_score, named_pair
from ..tasks import CLASSES, LABELS, NUMBERS
from ._asking import ask_both, check_outputs
from ._drawing import Display, draw_density, student_name_of

#: By the method whose answers are drawn.
TASKS = {task.method: task for task in (CLASSES, NUMBERS)}


@dataclass(kw_only=True, eq=False, repr=False)
class FidelityDisplay(Display):
    """The student's predictions against the teacher's, as a density plot.

    For two classes, the plot shows the probability of the second class; for more, that of the teacher's most probable
    class; for a regressor, the predictions of one output.

    Parameters
    ----------
    teacher_pred, student_pred : ndarray of shape (n_rows,)
        The probability of the same class according to each, or the predictions of each.
    fidelity : float
        The fraction of rows on which both predict the same class; for a regressor, R2 against the teacher.
    label : str
        The class or the output that is shown.
    student_name : str, default="student"
        The student's name.
    response_method : {"predict_proba", "predict"}, default="predict_proba"
        Whether the values are probabilities, or predictions of a regressor.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure of these axes.
    hexbin_ : matplotlib PolyCollection
        The density: the number of rows in each cell, shaded by its logarithm.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import FidelityDisplay
    >>> teacher = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> display = FidelityDisplay.from_predictions(teacher, [[0.8, 0.2], [0.4, 0.6]])
    >>> display.fidelity
    1.0
    >>> display = FidelityDisplay.from_predictions([1.0, 3.0], [1.0, 3.0], response_method="predict")
    >>> display.student_pred
    array([1., 3.])
    """

    teacher_pred: NDArray[Any]
    student_pred: NDArray[Any]
    fidelity: float
    label: str
    student_name: str = "student"
    response_method: str = "predict_proba"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        teacher: Any = None,
        teacher_proba: ArrayLike | None = None,
        teacher_pred: ArrayLike | None = None,
        output: int = 0,
        student_name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> FidelityDisplay:
        """Predict rows with a student and its teacher, and plot.

        Parameters
        ----------
        estimator : DistilledClassifier, DistilledRegressor or student
            Fitted.
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        teacher : estimator, callable or list of these, default=None
            The teacher. None uses that of a distilled model.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            Precomputed probabilities of a classifier's teacher.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Precomputed predictions of a regressor's teacher.
        output : int, default=0
            The index of the regressor's output to show.
        student_name : str, default=None
            The student's name; None uses its class name.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.
        **kwargs : dict
            Keyword arguments for matplotlib's ``hexbin``.

        Returns
        -------
        display : FidelityDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no teacher, or the regressor has no such output.
        NotFittedError
            If the teacher or the student is not fitted.
        """
        given: dict[str, Any] = {"teacher_proba": teacher_proba, "teacher_pred": teacher_pred}
        task, *answers, names = ask_both(estimator, X, None, teacher, given)
        if task == LABELS:
            raise ValueError(
                "FidelityDisplay shows one class or output, and the estimator has several labels: pass the predictions "
                "for one to from_predictions, np.column_stack([1 - p, p])."
            )
        kwargs |= {"response_method": task.method, "student_name": student_name_of(estimator, student_name)}
        return cls.from_predictions(*answers, classes=names, output=output, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        teacher_pred: ArrayLike,
        student_pred: ArrayLike,
        *,
        response_method: str = "predict_proba",
        classes: ArrayLike | None = None,
        output: int = 0,
        student_name: str = "student",
        ax: Any = None,
        **kwargs: Any,
    ) -> FidelityDisplay:
        """Plot precomputed predictions.

        Parameters
        ----------
        teacher_pred, student_pred : array-like of shape (n_rows, n_classes), (n_rows, n_outputs) or (n_rows,)
            Probabilities, or predictions of a regressor, according to `response_method`. Columns must be in the same
            order; columns of frames are matched by name.
        response_method : {"predict_proba", "predict"}, default="predict_proba"
            The method of the models that returned the values; "predict" for regressors.
        classes : array-like of shape (n_classes,), default=None
            The labels of the columns of probabilities. None uses the column names of a frame, or 0, 1, ...
        output : int, default=0
            The index of the regressor's output to show.
        student_name : str, default="student"
            The student's name.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.
        **kwargs : dict
            Keyword arguments for matplotlib's ``hexbin``.

        Returns
        -------
        display : FidelityDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the shapes differ, a row does not hold probabilities, or there is no such output.
        """
        if response_method not in TASKS:
            raise ValueError(f"response_method must be 'predict_proba' or 'predict'; got {response_method!r}.")
        task, n_rows, sources = TASKS[response_method], len(np.asarray(teacher_pred)), ("teacher_pred", "student_pred")
        *both, names = named_pair(teacher_pred, student_pred, classes, sources)
        answers, own = (
            task.check_answers(one, n_rows=n_rows, source=source) for one, source in zip(both, sources, strict=True)
        )
        check_outputs(own, answers, "student_pred")
        n_columns = answers.shape[1]
        if task == NUMBERS:
            if not 0 <= output < n_columns:
                raise ValueError(f"output={output} of a teacher with {n_columns} outputs.")
            column: Any = output
            label = "prediction" if n_columns == 1 else f"output {output}"
            fidelity = float(r2_score(answers[:, output], own[:, output]))
        else:
            column = np.ones(n_rows, dtype=int) if n_columns == 2 else answers.argmax(axis=1)
            label = "the teacher's class" if n_columns > 2 else f"class {1 if names is None else names[1]}"
            fidelity = fidelity_score(answers, own)
        rows = np.arange(n_rows)
        return cls(
            teacher_pred=answers[rows, column],
            student_pred=own[rows, column],
            fidelity=fidelity,
            label=label,
            student_name=student_name,
            response_method=response_method,
        ).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> FidelityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.
        **kwargs : dict
            Keyword arguments for matplotlib's ``hexbin``.

        Returns
        -------
        display : FidelityDisplay
            Itself.
        """
        ax = self._set_axes(ax)
        self.hexbin_ = draw_density(
            ax, self.teacher_pred, self.student_pred, proba=self.response_method == "predict_proba", **kwargs
        )
        self.figure_.colorbar(self.hexbin_, ax=ax, label="rows")
        n_rows = len(self.teacher_pred)
        if self.response_method == "predict_proba":
            xlabel, ylabel = f"teacher's probability of {self.label}", f"{self.student_name}'s probability"
            title = f"agreement {100 * self.fidelity:.1f}% of {n_rows:,} rows"
        else:
            xlabel, ylabel = f"teacher's {self.label}", f"{self.student_name}'s {self.label}"
            title = f"R2 {self.fidelity:.4f} on {n_rows:,} rows"
        ax.set_xlabel(xlabel, parse_math=False)
        ax.set_ylabel(ylabel, parse_math=False)
        ax.set_title(title)
        return self
