"""Real Slurm on the test hosts: a controller on the head, and a node each on the head and a worker."""

import time
from dataclasses import dataclass
from pathlib import Path

from clusters import HEAD, ROOT, WORKERS, Cluster
from hosts import address, name
from launching import FAULTS

NODES = (HEAD, WORKERS[0])
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
CONFIG = f"""
ClusterName=wbct
SlurmctldHost={name(HEAD)}({address(HEAD)})
SlurmUser=root
AuthInfo=socket=/run/munge/socket,cred_expire=20
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
ReturnToService=2
SlurmdTimeout=15
KillWait=5
StateSaveLocation={{folder}}/state
SlurmctldLogFile={{folder}}/slurmctld.log
SlurmdLogFile={{folder}}/slurmd-%n.log
SlurmdSpoolDir=/run/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
NodeName=wbct[{NODES[0]}-{NODES[-1]}] NodeAddr={address(HEAD)[:-1]}[{NODES[0]}-{NODES[-1]}] CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""A job that is requeued waits for as many seconds as a credential lasts, cred_expire, and not for two minutes."""


@dataclass
class Slurm:
    """What a person types on the head, from a home that all nodes share."""

    cluster: Cluster

    @property
    def folder(self) -> Path:
        return self.cluster.shared / "slurm"

    def start(self) -> None:
        """Daemons in place of the cluster that `ray up` has made; until all nodes are idle."""
        (self.folder / "home" / ".ray").mkdir(parents=True)
        (self.folder / "home" / ".ray" / "auth_token").write_text("f" * 64)  # of another cluster
        (self.folder / "munge.key").write_bytes(bytes(range(256)))
        (self.folder / "munge.key").chmod(0o400)
        (self.folder / "slurm.conf").write_text(CONFIG.format(folder=self.folder))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # else it looks what is mounted
        known = "".join(f"{address(node)} {name(node)}\n" for node in NODES)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{known}")
        for host in self.cluster.hosts.booted:
            self.cluster.hosts.ssh(host, f"{ROOT}/.venv/bin/ray stop --force", check=False)
        for node in NODES:
            self.start_node(node)
        deadline = time.monotonic() + 60
        while self.on_head("sinfo -h -o %T").split() != ["idle"]:
            assert time.monotonic() < deadline, (self.folder / "slurmctld.log").read_text()
            time.sleep(1)

    def start_node(self, node: int) -> None:
        munge = f"--key-file={self.folder}/munge.key --socket=/run/munge/socket --log-file=/run/munge/log"
        controller = f"slurmctld -f {self.folder}/slurm.conf; " * (node == HEAD)
        self.cluster.hosts.ssh(node, f"""
            mount --bind {self.folder}/hosts /etc/hosts; mount --bind /dev/null /etc/resolv.conf
            mkdir -p /run/munge /run/slurmd
            munged --force {munge} --pid-file=/run/munge/pid --seed-file=/run/munge/seed
            {controller} slurmd -f {self.folder}/slurm.conf -N {name(node)}
            """)  # fmt: skip

    def on_head(self, command: str) -> str:
        home = f"HOME={self.folder}/home SLURM_CONF={self.folder}/slurm.conf PYTHONPATH={FAULTS}"
        environment = f"{home} WBC_FAULTS='{self.cluster.faults}'"
        return self.cluster.hosts.ssh(HEAD, f"cd {ROOT} && env {environment} {command}").stdout

    def submit(self, *words: str, size: str = f"--nodes={len(NODES)}") -> str:
        """The number of the job that `sbatch` makes of cluster/slurm.sh."""
        site = f"--parsable {size} --gpus-per-node=0 --cpus-per-task=1 --output={self.folder}/%j.log"
        return self.on_head(f"sbatch {site} cluster/slurm.sh {' '.join(words)}").strip()

    def printed(self, job: str) -> str:
        log = self.folder / f"{self.shown(job, 'JobId')}.log"  # a job of an array has a number of its own
        return log.read_text() if log.exists() else ""

    def shown(self, job: str, field: str) -> str:
        """What Slurm says of a job."""
        words = self.on_head(f"scontrol show job {job}").split()
        return next(word.removeprefix(f"{field}=") for word in words if word.startswith(f"{field}="))

    def await_state(self, job: str, *states: str, seconds: float) -> str:
        """The first of these states that the job gets to."""
        deadline = time.monotonic() + seconds
        while (state := self.shown(job, "JobState")) not in states:
            late = time.monotonic() > deadline
            assert not late, f"{state}: {self.printed(job)}"
            assert state not in ENDED, f"{state}: {self.printed(job)}"
            time.sleep(2)
        return state
