"""A landing sensor at work on a real instance, for tests: what it asks for is queued, run or lost as they say."""

from datetime import date
from pathlib import Path

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from clearer_platform import bronze
from clearer_platform.defs.landing import Landing
from clearer_platform.defs.sensors import ticked
from clearer_platform_tests.defs.conftest import Graph, sales

START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
CODE = JobPythonOrigin("region_days", RepositoryPythonOrigin("python", ModuleCodePointer("none", "none")))
EVENTS = {
    "QUEUED": "PIPELINE_ENQUEUED",
    "STARTING": "PIPELINE_STARTING",
    "STARTED": "PIPELINE_START",
    "CANCELING": "PIPELINE_CANCELING",
}


class Desk:
    """A sensor at work on an instance, and a daemon that does what it is told to."""

    def __init__(self, graph: Graph) -> None:
        self.platform, self.instance = graph.platform, graph.instance
        self.job = graph.defs.resolve_job_def("region_days")
        self.now = 0.0
        self.landing = self.fresh()

    def fresh(self) -> Landing:
        """The sensor of a new process, which remembers nothing."""
        self.landing = Landing(self.platform, lambda: self.now)
        return self.landing

    def tick(self) -> list[dg.RunRequest]:
        return ticked(self.landing, self.instance, looking=0)

    def asked(self) -> list[tuple[str, str]]:
        """First and last partition of what a tick asks for."""
        return sorted((r.tags[START], r.tags[END]) for r in self.tick())

    def queue(self, request: dg.RunRequest, status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED) -> dg.DagsterRun:
        return self.created(dict(request.tags), status)

    def created(self, tags: dict[str, str], status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """A run that has come as far as `status`, as its events have it."""
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
        run = self.instance.create_run_for_job(
            self.job, tags=tags, remote_job_origin=origin.get_job_origin(self.job.name), job_code_origin=CODE
        )
        if event := EVENTS.get(status.value):
            self.instance.report_dagster_event(dg.DagsterEvent(event, self.job.name), run.run_id)
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None and found.status == status
        return found

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        return self.job.execute_in_process(
            instance=self.instance, tags=dict(request.tags), raise_on_error=False, run_config=QUIET
        )

    def kill(self, request: dg.RunRequest) -> dg.DagsterRun:
        """What is left of a run whose process was killed, once that has been noticed."""
        run = self.queue(request, dg.DagsterRunStatus.STARTED)
        self.instance.report_run_failed(run, "its process is gone")
        return run

    def land(self, region: str, on: date, text: str | None = None, table: str = "transactions") -> Path:
        folder = self.platform.layout(region).landing(table)
        folder.mkdir(parents=True, exist_ok=True)
        path = Path(folder / f"{table}-{on}.csv")
        path.write_text(sales(on) if text is None else text)
        return path

    def deliveries(self, region: str, on: date) -> int:
        name = f"transactions-{on}.csv"
        return len(bronze.history(self.platform.layout(region), "transactions", on, name))
