#!/usr/bin/env bash
# Make .venv beside the project with the pinned packages and the project itself; nothing is done twice.
# Needs Python 3.11 to 3.13 and pip. PYTHON=python3.12 chooses another interpreter.
set -euo pipefail
unset CDPATH PYTHONHOME PYTHONPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=${PATH//$PWD\/.venv\/bin:/}  # an environment is not made from itself
python=${PYTHON:-python3}

# pip's and uv's settings, in files and variables, that say how to reach packages. All others are set aside: they are for
# other installations, and "user" or "require-virtualenv" would stop this one.
set_pip_and_uv() {
  local kept
  kept=$("$python" -m pip config list | "$python" -c '
import ast, shlex, sys
for line in sorted(sys.stdin, key=lambda line: line.startswith(":env:")):  # variables override files
    name, _, value = line.strip().partition("=")
    option = name.rpartition(".")[2]
    if option in ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "cert", "client-cert",
                  "timeout", "default-timeout", "retries", "keyring-provider", "cache-dir", "no-cache-dir",
                  "break-system-packages"):
        print("export PIP_" + option.upper().replace("-", "_") + "=" + shlex.quote(ast.literal_eval(value)))')
  unset "${!PIP_@}"
  export PIP_CONFIG_FILE=/dev/null
  eval "$kept"
  for name in "${!UV_@}"; do
    case $name in
      *INDEX* | UV_FIND_LINKS | UV_CACHE_DIR | UV_CONFIG_FILE | UV_*TIMEOUT | UV_*RETRIES | UV_*CERT* | UV_*TLS | UV_*HOST | \
        UV_KEYRING_PROVIDER | UV_LINK_MODE | UV_OFFLINE | UV_CONCURRENT_* | UV_CREDENTIALS_DIR) ;;
      *) unset "$name" ;;
    esac
  done
  if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$PIP_INDEX_URL}}; fi
}

install_packages() {
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
    { echo "setup: $("$python" --version) will not do: wanted Python 3.11 to 3.13 (PYTHON=... chooses one)" >&2; exit 2; }
  set_pip_and_uv
  echo "setup: installing the pinned packages into .venv (about 6 GB, once)" >&2
  "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .uv --upgrade uv==0.13.9
  local uv=.uv/bin/uv
  "$uv" venv --quiet --clear --python "$python" .venv
  # Bytecode is compiled once here, or every worker of every trial would compile it again.
  "$uv" pip sync --quiet --compile-bytecode --require-hashes --python .venv/bin/python requirements.txt
  "$uv" pip install --quiet --no-deps --python .venv/bin/python --editable .
  echo "$stamp" > .venv/wbc-study.stamp
}

# Whether the environment's Python runs here, where another may have made it, and is the one that PYTHON chooses.
runs() {
  local made
  made=$(.venv/bin/python -c "$minor" 2>/dev/null) && [ "$made" = "$("${PYTHON:-.venv/bin/python}" -c "$minor")" ]
}
minor='import sys; print(sys.version_info[:2])'

# On a machine with an NVIDIA card that torch cannot use: which driver is there, and which would do. It only warns.
check_card() {
  local cuda driver
  cuda=$(.venv/bin/python -W ignore -c 'import torch; print("" if torch.cuda.is_available() else torch.version.cuda)')
  [ -n "$cuda" ] || return 0
  driver=$(cat /sys/module/nvidia/version 2>/dev/null) || driver=none
  echo "setup: torch cannot use this machine's NVIDIA card. Driver: $driver. torch is built for CUDA $cuda; CUDA 13" \
    "wants driver 580 or newer (docs.nvidia.com/deploy/cuda-compatibility). Install one, restart the machine, and see" \
    "that nvidia-smi shows the card." >&2
}

case $PWD in *[[:space:]\'\"\\]*)
  echo "setup: Ray cannot start workers from $PWD, whose path has a blank or a quote: move the project" >&2; exit 2 ;;
esac
# Several machines may set up one folder that they share: the first does it, and the others wait.
exec 9> .setup.lock
if command -v flock > /dev/null && ! flock -n 9; then
  echo "setup: waiting for another set-up in this folder" >&2
  flock 9 || true  # a file system without locks
fi
stamp=$(cat requirements.txt pyproject.toml cluster/setup.sh | sha256sum | cut -d' ' -f1)
{ [ "$(cat .venv/wbc-study.stamp 2>/dev/null || true)" = "$stamp" ] && runs; } || install_packages
if grep -qs 0x10de /sys/bus/pci/devices/*/vendor; then check_card; fi
