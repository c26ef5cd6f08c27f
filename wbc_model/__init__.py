"""What one training is: data, networks, training loop and metrics of Chen et al. 2022. Knows nothing of Ray or W&B."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m` adds the current folder, in which modules of the user's would shadow others
    del sys.path[0]
