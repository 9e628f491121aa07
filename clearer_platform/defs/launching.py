"""How runs are started, ended and looked after: the launcher that dagster.yaml names.

Of Dagster's names that are not public it uses two: the health that run monitoring asks for, and the command line of a
run as the launchers that come with Dagster build it. `runs.instance` ships it only where Dagster is of the version for
which they are known to work, and Dagster's own launcher where it is not.
"""

import os
import signal
import time
from pathlib import Path

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs

from clearer_platform.defs import alive
from clearer_platform.defs.forks import start


class Launcher(dg.DefaultRunLauncher):
    """The launcher that comes with Dagster, which forks runs where it can, and knows which processes are alive."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run: forked from the home's warm process if there is one, else as Dagster does."""
        run, code = context.dagster_run, context.job_code_origin
        if code is not None:
            what = ExecuteRunArgs(job_origin=code, run_id=run.run_id, instance_ref=self._instance.get_ref())
            command = list(what.get_command_args())  # `dagster api ...`, however Dagster itself is called
            home, arguments = Path(self._instance.root_directory), command[command.index("api") :]
            if start(home, run.run_id, code.executable_path, arguments):
                return
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run, as Ctrl-C would; False where its process is gone."""
        process = alive.holder(alive.folder(self._instance), run_id)
        run = self._instance.get_run_by_id(run_id)
        if process is None or run is None or run.is_finished:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        os.kill(process, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run is there."""
        record = self._instance.get_run_record_by_id(run.run_id)
        started = record.start_time if record and record.start_time else time.time()
        if alive.is_alive(alive.folder(self._instance), run.run_id, started):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, alive.GONE)
