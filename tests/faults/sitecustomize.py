"""Loaded by every Python that has this folder on PYTHONPATH: makes trainings fail as $WBC_FAULTS says.

WBC_FAULTS is JSON: {"log": file, "rules": [{"network", "epoch", "do", "once"}]}. Every epoch that begins is logged.
`once` is a file that remembers that the rule was followed. A rule {"file", "once"} kills the process when
half of a file of that name is written.
{"clock": seconds} sets ahead the time of day that Python sees. (libfaketime 0.9.10, which could do so for every
program, breaks the waits of Python 3.11: Event.wait does not return, or sleep raises.)
"""

import errno
import importlib.util
import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path

FAULTS = json.loads(os.environ.get("WBC_FAULTS", "{}"))


def ahead(clock, seconds):
    return lambda: clock() + seconds


time.time = ahead(time.time, FAULTS.get("clock", 0))


def act(what, model, **_):
    import torch

    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "term":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    elif what == "nan":
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
    elif what == "memory":
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    elif what == "io":
        raise OSError(errno.EIO, "Input/output error")
    elif what == "sleep":
        time.sleep(3)
    elif what == "code":
        raise ZeroDivisionError("division by zero")


def follow(model, config, epoch):
    network = getattr(config.model, "network", "ours")
    for rule in FAULTS.get("rules", []):
        once = Path(rule["once"]) if "once" in rule else None
        if (
            "file" not in rule
            and rule["network"] in (network, "any")
            and rule["epoch"] in (epoch, "any")
            and not (once and once.exists())
        ):
            if once:
                once.touch()
            act(rule["do"], model)


def patched(fit):
    def faulty(model, train, validation, config, *, seed, resume=None, **arguments):
        epoch = resume.epoch if resume else 0
        reports = fit(model, train, validation, config, seed=seed, resume=resume, **arguments)
        while epoch < config.epochs:
            with Path(FAULTS["log"]).open("a") as log:
                log.write(f"{config.id}-s{seed} {epoch}\n")
            follow(model, config, epoch)
            yield next(reports)
            epoch += 1

    return faulty


def torn(whole_file):
    @contextmanager
    def tearing(path):
        with whole_file(path) as draft:
            yield draft
            for rule in FAULTS.get("rules", []):
                if rule.get("file") == path.name and not Path(rule["once"]).exists():
                    Path(rule["once"]).touch()
                    os.truncate(draft, draft.stat().st_size // 2)
                    os.kill(os.getpid(), signal.SIGKILL)

    return tearing


class Finder(MetaPathFinder):
    def __init__(self, module, function, patch):
        self.module, self.function, self.patch = module, function, patch

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002
        if name != self.module or not FAULTS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            setattr(module, self.function, self.patch(getattr(module, self.function)))

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder("wbc_model.training.train", "fit", patched))
sys.meta_path.insert(0, Finder("wbc_model.files", "whole_file", torn))
