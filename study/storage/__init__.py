"""Records, epoch logs and checkpoints of every trial, in a folder or an object store by URL. No torch, no ray.

trials/<trial id>/record.json       written last: the trial is finished
                  epochs.jsonl      one row per epoch
                  predictions.npz   ids, truth and class probabilities of the test images
                  predictions-<dataset>.npz    the same for another dataset's test images (test_on)
                  model.safetensors, model-card.md    the trained model, if it is kept, and what to know of it
                  evaluations/<dataset>.json          a test of the kept model on other images (study/evaluate/)
                  robustness/<dataset>.json           ... on altered test images
                  gradcam.png       Grad-CAM of test images of each class, of two-branch models
                  checkpoint.pt     the state after the last epoch, while unfinished
                  error.json        why the last attempt failed, while unfinished
                  pruned.json       in a search: the trial was stopped before its last epoch
                  lease-<n>.json    which process works on it (study/trial/leases.py)
                  stale-<n>.json    records made from other data or weights, set aside
                  damaged-<n>-<name>           a file that could not be read, set aside
data/<dataset>-<fingerprint>.csv    each file's set and hash, or why it was left out
wandb/<run folder>/                 the W&B files of each finished or failed trial
doctor/<address>                    what each node of a cluster wrote for the others to read (study/doctor/examine.py)
searches/<name>/                    a storage of its own for each search (study/search.py)
plan.json, costs.json               the trials of the latest launch; what trials cost, by device
weights.json                        the commit of each repository on the hub that pre-trained weights are taken from
"""

from study.storage.copies import local_copy
from study.storage.paths import (
    check_creates_once,
    create,
    delete,
    listed,
    place,
    read,
    read_bytes,
    root_of,
    set_aside,
    write,
)
from study.storage.plans import read_plan, write_plan
from study.storage.trials import PRUNED, Storage, TrialFiles, manifest_file, predictions_file

__all__ = [
    "PRUNED",
    "Storage",
    "TrialFiles",
    "check_creates_once",
    "create",
    "delete",
    "listed",
    "local_copy",
    "manifest_file",
    "place",
    "predictions_file",
    "read",
    "read_bytes",
    "read_plan",
    "root_of",
    "set_aside",
    "write",
    "write_plan",
]
