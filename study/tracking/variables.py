"""Which of W&B's environment variables a study honours. All others are set aside. Does not load wandb."""

import os

HONOURED = frozenset(f"WANDB_{name}" for name in (
    "API_KEY", "IDENTITY_TOKEN_FILE", "CREDENTIALS_FILE", "BASE_URL", "APP_URL", "ENTITY", "PROJECT", "MODE",
    "CONFIG_DIR", "CACHE_DIR", "DATA_DIR", "ARTIFACT_DIR", "HTTP_TIMEOUT", "INSECURE_DISABLE_SSL", "ERROR_REPORTING",
    "X_EXTRA_HTTP_HEADERS", "USERNAME", "USER_EMAIL", "SILENT", "QUIET",
))  # fmt: skip
"""Where W&B is, who asks, and where it keeps files."""


def set_aside() -> None:
    """Remove what is meant for one run or process, such as the run id that a sweep agent or a notebook sets.

    With it, the client would give all trials one run, or none.
    """
    for name in [name for name in os.environ if name.startswith("WANDB_") and name not in HONOURED]:
        del os.environ[name]
