"""A skorch net or a torch module as a student."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_random_state

from ...losses import Targets, softmax
from ._base import AdaptedClassifierPart, SeededStudent


class NetClassifier(AdaptedClassifierPart, SeededStudent):
    """A skorch net or a torch module, trained on the distillation loss; its rows are float32.

    A skorch net is trained by its own settings (optimizer, epochs, callbacks), but for its loss. Its module
    returns what its criterion expects: probabilities for NLLLoss in a NeuralNetClassifier and
    for BCELoss, logits for anything else. A module returns logits, and is trained from the weights
    that it has, with AdamW and early stopping, on one thread.

    Parameters
    ----------
    estimator : skorch.NeuralNet or torch.nn.Module
        One output for each class, or one alone for the second of two.
    random_state : int, RandomState instance or None, default=None
        Seeds torch while the net is trained. None leaves that to torch's own state.
    verbose : int, default=0
        1 shows a progress bar while a module is trained; a skorch net has a `verbose` of its own.
    """

    def _fit(self, X: Any, targets: Targets) -> Any:
        # torch is imported here, where a net is trained or asked, and nowhere else
        from ._net_training import train_net

        rows = self._as_float32(X)
        seed = None
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        terms = targets.terms(len(rows)).folded()
        return train_net(self.estimator, rows, terms, targets.as_labels(), seed=seed, verbose=self.verbose)

    def _proba(self, X: Any) -> NDArray[Any]:
        from ._net_training import net_logits

        return softmax(net_logits(self.estimator_, self._as_float32(X)))

    def _as_float32(self, X: Any) -> NDArray[Any]:
        return check_array(X, dtype=np.float32, estimator=self._name, input_name="X")


def is_net(student: Any) -> bool:
    """Return whether an object is a skorch net or torch module, by its ancestors: neither package is imported."""
    ancestors = {f"{one.__module__}.{one.__qualname__}" for one in type(student).__mro__}
    return not ancestors.isdisjoint({"skorch.net.NeuralNet", "torch.nn.modules.module.Module"})
