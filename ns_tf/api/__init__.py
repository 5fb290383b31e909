"""What users type: `search`, `Search.plan`, `Plan.build`, and what follows from them.

A value knows what can be done with it next. Every method does what the command of the
same name does with a run folder::

    search = ns_tf.search(model, data, run_dir="runs/mine")  # or ns_tf.load(...)
    plan = search.plan(macs=50e6)
    trained = plan.train(epochs=300, run_dir="runs/mine")
    small = trained.prune(macs=0.5)  # or ns_tf.trained(model, data).prune(...)
    small.export("models", formats=("saved_model", "litert"))

`explaining.py` says what a network allows before anything is trained, `measuring.py`
how long its layers take on a device, `searches.py` has the search and what is made of
it, `plans.py` what a plan becomes, `prunings.py` what a trained network becomes,
`supernets.py` trains networks of several widths in one set of weights.
"""

from ns_tf.api.explaining import Explanation as Explanation
from ns_tf.api.explaining import explain as explain
from ns_tf.api.measuring import measured as measured
from ns_tf.api.plans import Plan as Plan
from ns_tf.api.prunings import Pruned as Pruned
from ns_tf.api.prunings import Trained as Trained
from ns_tf.api.prunings import trained as trained
from ns_tf.api.searches import Outcome as Outcome
from ns_tf.api.searches import Search as Search
from ns_tf.api.searches import load as load
from ns_tf.api.searches import search as search
from ns_tf.api.supernets import Supernet as Supernet
from ns_tf.api.supernets import supernet as supernet
